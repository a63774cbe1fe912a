#include "cli/run/outputs.hpp"

#include <gtest/gtest.h>

namespace lossmap {
namespace {

ModelConfig model(const std::string& label) { return {label, std::nullopt, label}; }

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
    const std::string table = table_csv({model("a.onnx"), model("b,\"c\".onnx")}, surface);
    EXPECT_EQ(table,
              "model,train_loss,train_error,train_standard_error,train_samples,train_non_finite,"
              "test_loss,test_error,test_standard_error,test_samples,test_non_finite\n"
              "a.onnx,0.5,50,0,2,0,0.25,0,0,2,0\n"
              "\"b,\"\"c\"\".onnx\",,,,,,,,,,\n");
}

TEST(Table, MarkdownAndLatexKeepNamesInTheirCells) {
    Surface surface = make_surface({0.0, 1.0}, {}, {"train"}, true);
    set_result(surface.splits[0], 0, sums(0.123456, 1));
    const std::vector<ModelConfig> models{model("a|b_1.onnx"), model("50%\\c&d\n~^")};
    EXPECT_EQ(table_markdown(models, surface),
              "| model | train loss | train error (%) |\n|---|---:|---:|\n"
              "| a\\|b\\_1.onnx | 0.1235 | 50.00 |\n| 50%\\\\c\\&d \\~^ |  |  |\n");
    EXPECT_EQ(
        table_latex(models, surface),
        "\\begin{tabular}{lrr}\n\\hline\nmodel & train loss & train error (\\%) \\\\\n\\hline\n"
        "a|b\\_1.onnx & 0.1235 & 50.00 \\\\\n"
        "50\\%\\textbackslash{}c\\&d \\textasciitilde{}\\textasciicircum{} &  &  \\\\\n\\hline\n\\end{tabular}\n");
}

TEST(Table, HasNoErrorWithoutClasses) {
    Surface surface = make_surface({0.0}, {}, {"train"}, false);
    set_result(surface.splits[0], 0, sums(0.5, 0));
    EXPECT_EQ(table_csv({model("a")}, surface),
              "model,train_loss,train_standard_error,train_samples,train_non_finite\na,0.5,0,2,0\n");
}

}  // namespace
}  // namespace lossmap
