#include "cli/run/model_tables.hpp"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lossmap {
namespace {

/// An evaluation of models of these names.
Config config_of(const std::vector<std::string>& labels) {
    Config config;
    config.experiment = Experiment::evaluate;
    for (const std::string& label : labels)
        config.models.push_back({label, std::nullopt, label});
    config.series.push_back({"", 0, labels.size(), {}, {}, false});
    return config;
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
    const std::string table = csv_text(exact_table(config_of({"a.onnx", "b,\"c\".onnx"}), surface));
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
    EXPECT_EQ(csv_text(exact_table(config_of({"a", "b"}), surface)),
              fmt::format("model,train_loss,train_error,train_standard_error,train_samples,train_non_finite,"
                          "train_interval_95\na,0.5,50,0.5,2,0,{}\nb,,,,,,\n",
                          1.959963984540054 * 0.5 * std::sqrt(0.75)));
}

TEST(Table, MarkdownAndLatexKeepNamesInTheirCells) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train"}, true);
    set_result(surface.splits[0], 0, sums(0.123456, 1));
    const Table table = short_table(config_of({"a|b_1.onnx", "50%\\c&d\n~^"}), surface);
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
    EXPECT_EQ(csv_text(exact_table(config_of({"a"}), surface)),
              "model,train_loss,train_standard_error,train_samples,train_non_finite\na,0.5,0,2,0\n");
}

TEST(Table, TellsRunsEpochsAndIterations) {
    Config config = config_of({"a0", "a1", "b0"});
    config.series = {{"first, run", 0, 2, {0, 5}, {}, true}, {"second", 2, 1, {7}, {}, true}};
    const std::vector<WeightNorms> norms{{5.0, 3.0}, {1.0 / 3.0, 0.25}, {2.0, 1.0}};
    EXPECT_EQ(csv_text(norm_table(config, norms, 17)),
              "model,run,epoch,weight_norm,filter_norm\n"
              "a0,\"first, run\",0,5,3\na1,\"first, run\",5,0.33333333333333331,0.25\nb0,second,7,2,1\n");
    EXPECT_EQ(markdown_text(norm_table(config, norms, 3)),
              "| model | run | epoch | weight\\_norm | filter\\_norm |\n|---|---|---:|---:|---:|\n"
              "| a0 | first, run | 0 | 5 | 3 |\n| a1 | first, run | 5 | 0.333 | 0.25 |\n| b0 | second | 7 | 2 | 1 |\n");
}

}  // namespace
}  // namespace lossmap
