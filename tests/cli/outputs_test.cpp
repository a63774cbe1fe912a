#include "cli/run/model_tables.hpp"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/run/table.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

/// Models of these names.
ModelResults results_of(const std::vector<std::string>& labels, Surface surface = {}) {
    return {"run", labels, {{"", 0, labels.size(), {}, {}, false}}, std::move(surface), {}};
}

LossSums sums(double loss, std::int64_t correct) {
    LossSums result;
    result.loss_sum = 2.0 * loss;
    result.loss_square_sum = 2.0 * loss * loss;
    result.weight_sum = 2.0;
    result.correct = correct;
    result.counted = 2;
    return result;
}

TEST(Table, HasLossAndErrorOfEachModel) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train", "test"}, true);
    set_result(surface.splits[0], 0, sums(0.5, 1));
    set_result(surface.splits[1], 0, sums(0.25, 2));
    const std::string table = csv_text(exact_table(results_of({"a.onnx", "b,\"c\".onnx"}, surface)));
    EXPECT_EQ(table,
              "model,train_loss,train_error,train_standard_error,train_samples,train_non_finite,"
              "test_loss,test_error,test_standard_error,test_samples,test_non_finite\n"
              "a.onnx,0.5,50,0,2,0,0.25,0,0,2,0\n"
              "\"b,\"\"c\"\".onnx\",,,,,,,,,,\n");
}

TEST(Table, HasTheIntervalOfADraw) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train"}, true);
    surface.splits[0].drawn = 2;
    surface.splits[0].drawn_from = 8;
    LossSums two = sums(0.5, 1);
    two.loss_square_sum = 1.0;  // losses 0 and 1: standard error 1/2
    set_result(surface.splits[0], 0, two);
    EXPECT_EQ(csv_text(exact_table(results_of({"a", "b"}, surface))),
              fmt::format("model,train_loss,train_error,train_standard_error,train_samples,train_non_finite,"
                          "train_interval_95\na,0.5,50,0.5,2,0,{}\nb,,,,,,\n",
                          1.959963984540054 * 0.5 * std::sqrt(0.75)));
}

TEST(Table, MarkdownAndLatexKeepNamesInTheirCells) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train"}, true);
    set_result(surface.splits[0], 0, sums(0.123456, 1));
    const Table table = brief_table(results_of({"a|b_1.onnx", "50%\\c&d\n~^"}, surface));
    EXPECT_EQ(markdown_text(table),
              "| model | train loss | train error (%) |\n|---|---:|---:|\n"
              "| a\\|b\\_1.onnx | 0.1235 | 50.00 |\n| 50%\\\\c\\&d \\~^ |  |  |\n");
    EXPECT_EQ(
        latex_text(table),
        "\\begin{tabular}{lrr}\n\\hline\nmodel & train loss & train error (\\%) \\\\\n\\hline\n"
        "a|b\\_1.onnx & 0.1235 & 50.00 \\\\\n"
        "50\\%\\textbackslash{}c\\&d \\textasciitilde{}\\textasciicircum{} &  &  \\\\\n\\hline\n\\end{tabular}\n");
}

TEST(Table, HasNoErrorWithoutClasses) {
    Surface surface = make_surface({0.0}, {}, {"train"}, false);
    set_result(surface.splits[0], 0, sums(0.5, 0));
    EXPECT_EQ(csv_text(exact_table(results_of({"a"}, surface))),
              "model,train_loss,train_standard_error,train_samples,train_non_finite\na,0.5,0,2,0\n");
}

TEST(Table, TellsRunsEpochsAndIterations) {
    ModelResults results = results_of({"a0", "a1", "b0"});
    results.series = {{"first, run", 0, 2, {0, 5}, {}, true}, {"second", 2, 1, {7}, {}, true}};
    results.norms = {{5.0, 3.0}, {1.0 / 3.0, 0.25}, {2.0, 1.0}};
    EXPECT_EQ(csv_text(exact_table(results)),
              "model,run,epoch,weight_norm,filter_norm\n"
              "a0,\"first, run\",0,5,3\na1,\"first, run\",5,0.33333333333333331,0.25\nb0,second,7,2,1\n");
    EXPECT_EQ(markdown_text(norm_table(results, 3)),
              "| model | run | epoch | weight\\_norm | filter\\_norm |\n|---|---|---:|---:|---:|\n"
              "| a0 | first, run | 0 | 5 | 3 |\n| a1 | first, run | 5 | 0.333 | 0.25 |\n| b0 | second | 7 | 2 | 1 |\n");
}

/// What a table.csv says, read back.
ModelResults read_back(const ModelResults& results) {
    return read_model_results(parse_csv(csv_text(exact_table(results))), results.name);
}

TEST(ModelResults, AreReadBackFromTheirTable) {
    Surface surface = make_surface({0.0, 1.0, 2.0}, {}, {"train", "test"}, true);
    set_result(surface.splits[0], 0, sums(0.1, 1));
    set_result(surface.splits[0], 2, sums(std::nan(""), 0));
    set_result(surface.splits[1], 0, sums(1.0 / 3.0, 2));
    surface.splits[1].has_accuracy = false;
    ModelResults results = results_of({"a", "b, \"c\"", "d"}, surface);
    results.series = {{"one", 0, 2, {0, 5}, {}, true}, {"two", 2, 1, {7}, {}, true}};
    const ModelResults again = read_back(results);
    EXPECT_EQ(again.labels, results.labels);
    ASSERT_EQ(again.series.size(), 2U);
    EXPECT_EQ(again.series[1].label, "two");
    EXPECT_EQ(again.series[1].first, 2U);
    EXPECT_EQ(again.series[0].epochs, (std::vector<std::int64_t>{0, 5}));
    EXPECT_TRUE(again.series[0].in_order);
    ASSERT_EQ(again.surface.splits.size(), 2U);
    EXPECT_EQ(again.surface.splits[0].done, (std::vector<std::uint8_t>{1, 0, 1}));
    EXPECT_EQ(again.surface.splits[0].loss[0], 0.1);
    EXPECT_TRUE(std::isnan(again.surface.splits[0].loss[2]));
    EXPECT_EQ(again.surface.splits[0].accuracy[0], 50.0);
    EXPECT_EQ(again.surface.splits[1].loss[0], 1.0 / 3.0);
    EXPECT_FALSE(again.surface.splits[1].has_accuracy);
    EXPECT_EQ(csv_text(exact_table(again)), csv_text(exact_table(results)));
    EXPECT_FALSE(read_back(results_of({"a", "b", "c"}, surface)).series.front().in_order) << "just a list";
}

TEST(ModelResults, NormsAreReadBack) {
    ModelResults results = results_of({"a", "b"});
    results.norms = {{1.0 / 3.0, 0.25}, {std::nan(""), 1.0}};
    const ModelResults again = read_back(results);
    EXPECT_EQ(again.norms[0].all, 1.0 / 3.0);
    EXPECT_TRUE(std::isnan(again.norms[1].all));
    EXPECT_TRUE(again.series.front().in_order);
    EXPECT_TRUE(again.surface.splits.empty());
}

TEST(ModelResults, BrokenTablesAreSentences) {
    const auto message = [](const std::string& csv) -> std::string {
        try {
            (void)read_model_results(parse_csv(csv), "run");
        } catch (const InputError& error) {
            return error.what();
        }
        return "accepted";
    };
    EXPECT_EQ(message("model,weight_norm,filter_norm\na,1,x\n"), "line 2, column 'filter_norm': 'x' is no number");
    EXPECT_EQ(message("model,weight_norm\na,1\n"), "has no column 'filter_norm'");
    EXPECT_EQ(message("model\na\n"), "has neither losses nor norms of models");
    EXPECT_EQ(message("model,weight_norm,filter_norm\n"), "holds no model");
}

TEST(ModelResults, TrainingRunsOfSeveralAreJoined) {
    ModelResults a = results_of({"a0", "a1"});
    a.series = {{"", 0, 2, {0, 5}, {0, 50}, true}};
    a.norms = {{1.0, 0.5}, {2.0, 1.5}};
    ModelResults b = results_of({"b0", "b1"});
    b.series = {{"x", 0, 1, {3}, {}, true}, {"y", 1, 1, {4}, {}, true}};
    b.norms = {{3.0, 2.5}, {4.0, 3.5}};
    const std::optional<ModelResults> joined = joined_results({{"first", a}, {"second", b}}, "both");
    ASSERT_TRUE(joined);
    ASSERT_EQ(joined->series.size(), 3U);
    EXPECT_EQ(joined->series[0].label, "first");
    EXPECT_EQ(joined->series[2].label, "second, y");
    EXPECT_EQ(joined->series[2].first, 3U);
    EXPECT_TRUE(joined->series[0].iterations.empty()) << "not all have them";
    EXPECT_EQ(joined->norms[3].all, 4.0);
    const std::vector<CurvesFigure> figures = figures_of(*joined);
    ASSERT_EQ(figures.size(), 1U);
    EXPECT_EQ(figures[0].curves.size(), 3U);
    EXPECT_FALSE(joined_results({{"first", a}}, "one"));
}

TEST(ModelResults, OfJoinedEvaluationsTheCommonSplitsAreLeft) {
    Surface both = make_surface({0.0}, {}, {"train", "test"}, true);
    set_result(both.splits[0], 0, sums(0.5, 1));
    set_result(both.splits[1], 0, sums(0.75, 1));
    Surface one = make_surface({0.0}, {}, {"test"}, true);
    set_result(one.splits[0], 0, sums(0.25, 2));
    ModelResults a = results_of({"a"}, both);
    ModelResults b = results_of({"b"}, one);
    a.series[0].in_order = b.series[0].in_order = true;
    const std::optional<ModelResults> joined = joined_results({{"first", a}, {"second", b}}, "both");
    ASSERT_TRUE(joined);
    ASSERT_EQ(joined->surface.splits.size(), 1U);
    EXPECT_EQ(joined->surface.splits[0].name, "test");
    EXPECT_EQ(joined->surface.splits[0].loss, (std::vector<double>{0.75, 0.25}));
}

}  // namespace
}  // namespace lossmap
