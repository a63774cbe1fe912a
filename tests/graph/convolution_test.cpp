#include "graph_builder.hpp"

namespace lossmap::test {
namespace {

using Ints = std::vector<std::int64_t>;

struct Conv2d {
    std::int64_t n, c, h, w, filters, kh, kw, groups, stride, dilation, pad;
};

/// Convolution written as its definition, in fp64.
std::vector<double> reference(const Conv2d& s, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const std::int64_t oh = (s.h + 2 * s.pad - s.dilation * (s.kh - 1) - 1) / s.stride + 1;
    const std::int64_t ow = (s.w + 2 * s.pad - s.dilation * (s.kw - 1) - 1) / s.stride + 1;
    const std::int64_t per_group = s.c / s.groups;
    std::vector<double> out;
    for (std::int64_t n = 0; n < s.n; ++n) {
        for (std::int64_t f = 0; f < s.filters; ++f) {
            for (std::int64_t y = 0; y < oh; ++y) {
                for (std::int64_t z = 0; z < ow; ++z) {
                    double sum = static_cast<double>(bias.as<float>()[static_cast<std::size_t>(f)]);
                    for (std::int64_t c = 0; c < per_group; ++c) {
                        for (std::int64_t i = 0; i < s.kh; ++i) {
                            for (std::int64_t j = 0; j < s.kw; ++j) {
                                const std::int64_t row = y * s.stride - s.pad + i * s.dilation;
                                const std::int64_t column = z * s.stride - s.pad + j * s.dilation;
                                if (row < 0 || row >= s.h || column < 0 || column >= s.w) continue;
                                const std::int64_t channel = f / (s.filters / s.groups) * per_group + c;
                                const auto at_x =
                                    static_cast<std::size_t>(((n * s.c + channel) * s.h + row) * s.w + column);
                                const auto at_w = static_cast<std::size_t>(((f * per_group + c) * s.kh + i) * s.kw + j);
                                sum += static_cast<double>(x.as<float>()[at_x]) *
                                       static_cast<double>(weight.as<float>()[at_w]);
                            }
                        }
                    }
                    out.push_back(sum);
                }
            }
        }
    }
    return out;
}

class ConvTest : public ::testing::TestWithParam<Conv2d> {};

TEST_P(ConvTest, AgreesWithDefinition) {
    const Conv2d& s = GetParam();
    const Tensor x = noise({s.n, s.c, s.h, s.w}, 1);
    const Tensor weight = noise({s.filters, s.c / s.groups, s.kh, s.kw}, 2);
    const Tensor bias = noise({s.filters}, 3);
    std::vector<Tensor> inputs;
    inputs.push_back(x.clone());
    inputs.push_back(weight.clone());
    inputs.push_back(bias.clone());
    const auto results = run_node("Conv", std::move(inputs),
                                  {{"group", s.groups},
                                   {"strides", Ints{s.stride, s.stride}},
                                   {"dilations", Ints{s.dilation, s.dilation}},
                                   {"pads", Ints(4, s.pad)}});
    expect_close(results[0], reference(s, x, weight, bias));
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvTest,
    ::testing::Values(Conv2d{2, 3, 8, 7, 5, 3, 3, 1, 1, 1, 1}, Conv2d{1, 4, 9, 9, 6, 3, 3, 2, 2, 1, 1},
                      Conv2d{2, 6, 7, 7, 6, 3, 3, 6, 1, 2, 2}, Conv2d{1, 2, 5, 5, 3, 1, 1, 1, 2, 1, 0},
                      Conv2d{1, 1, 4, 4, 1, 4, 4, 1, 3, 1, 3}, Conv2d{0, 3, 8, 7, 5, 3, 3, 1, 1, 1, 1}));

std::vector<Tensor> pair_of(Tensor a, Tensor b) {
    std::vector<Tensor> inputs;
    inputs.push_back(std::move(a));
    inputs.push_back(std::move(b));
    return inputs;
}

TEST(ConvShapesTest, AutoPadAndOtherRanks) {
    const auto shape = [](Shape x, Shape w, std::map<std::string, Attribute> attributes,
                          const std::string& type = "Conv") {
        return run_node(type, pair_of(noise(std::move(x)), noise(std::move(w))), attributes)[0].shape();
    };
    EXPECT_EQ(shape({1, 2, 10}, {4, 2, 3}, {{"strides", Ints{3}}, {"auto_pad", std::string("SAME_UPPER")}}),
              (Shape{1, 4, 4}));
    EXPECT_EQ(shape({1, 2, 10}, {4, 2, 3}, {{"auto_pad", std::string("VALID")}}), (Shape{1, 4, 8}));
    EXPECT_EQ(shape({1, 1, 4, 5, 6}, {2, 1, 2, 2, 2}, {}), (Shape{1, 2, 3, 4, 5}));
    EXPECT_EQ(
        shape({1, 3, 4, 4}, {3, 2, 3, 3},
              {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}}, "ConvTranspose"),
        (Shape{1, 2, 8, 8}));
}

TEST(ConvShapesTest, TransposedConvolutionIsTheAdjoint) {
    // <conv(x), y> = <x, conv_transpose(y)> for the same weight.
    const std::map<std::string, Attribute> attributes{
        {"strides", Ints{2, 2}}, {"pads", Ints{1, 0, 1, 0}}, {"group", std::int64_t{2}}};
    const Tensor x = noise({1, 4, 5, 6}, 1);
    const Tensor weight = noise({6, 2, 3, 2}, 2);
    const Tensor y = noise({1, 6, 3, 3}, 3);
    const Tensor forward = std::move(run_node("Conv", pair_of(x.clone(), weight.clone()), attributes)[0]);
    ASSERT_EQ(forward.shape(), y.shape());
    const Tensor back = std::move(run_node("ConvTranspose", pair_of(y.clone(), weight.clone()), attributes)[0]);
    ASSERT_EQ(back.shape(), x.shape());
    const auto dot = [](const Tensor& a, const Tensor& b) {
        double sum = 0;
        for (std::size_t i = 0; i < a.as<float>().size(); ++i)
            sum += static_cast<double>(a.as<float>()[i]) * static_cast<double>(b.as<float>()[i]);
        return sum;
    };
    EXPECT_NEAR(dot(forward, y), dot(x, back), 1e-4);
}

TEST(ConvShapesTest, ErrorsAreSentences) {
    const auto message = [](Shape x, Shape w, std::map<std::string, Attribute> attributes) {
        return message_of(
            [&] { (void)run_node("Conv", pair_of(noise(std::move(x)), noise(std::move(w))), attributes); });
    };
    EXPECT_EQ(message({1, 3, 4, 4}, {8, 4, 3, 3}, {}),
              "Conv 'Conv_0' (opset 17): input has 3 channels, weight expects 4");
    EXPECT_EQ(message({1, 4, 2, 2}, {8, 4, 3, 3}, {}),
              "Conv 'Conv_0' (opset 17): the window reaches over 3 elements, the padded input has 2");
    EXPECT_EQ(message({1, 4, 4, 4}, {8, 4, 3, 3}, {{"strides", Ints{1}}}),
              "Conv 'Conv_0' (opset 17): attribute 'strides' has 1 entries for 2 spatial dimensions");
    EXPECT_EQ(message({1, 1, 2, 2, 2, 2}, {1, 1, 1, 1, 1, 1}, {}),
              "Conv 'Conv_0' (opset 17): 4 spatial dimensions are not supported, at most 3 are");
}

TEST(PoolTest, CeilModeAndPadding) {
    const Tensor x = floats({1, 2, 3, 4, 5}, {1, 1, 5});
    const std::map<std::string, Attribute> ceil{
        {"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", std::int64_t{1}}};
    std::vector<Tensor> one;
    one.push_back(x.clone());
    expect_close(run_node("MaxPool", std::move(one), ceil)[0], {2, 4, 5});
    std::vector<Tensor> two;
    two.push_back(x.clone());
    expect_close(run_node("AveragePool", std::move(two), ceil)[0], {1.5, 3.5, 5});
    // PyTorch: the position beyond the padding does not count, the padding does with count_include_pad.
    std::vector<Tensor> three;
    three.push_back(floats({1, 2, 3, 4}, {1, 1, 4}));
    expect_close(run_node("AveragePool", std::move(three),
                          {{"kernel_shape", Ints{3}},
                           {"strides", Ints{2}},
                           {"pads", Ints{1, 1}},
                           {"ceil_mode", std::int64_t{1}},
                           {"count_include_pad", std::int64_t{1}}})[0],
                 {1, 3, 2});
    std::vector<Tensor> four;
    four.push_back(floats({1, 2, 3, 4}, {1, 1, 4}));
    expect_close(run_node("AveragePool", std::move(four),
                          {{"kernel_shape", Ints{3}}, {"strides", Ints{2}}, {"pads", Ints{1, 1}}})[0],
                 {1.5, 3});
}

TEST(PoolTest, NanInTheWindowWins) {
    for (const std::vector<double>& row : {std::vector<double>{1, kNaN, 3, 4}, std::vector<double>{kNaN, 1, 3, 4}}) {
        std::vector<Tensor> inputs;
        inputs.push_back(floats(row, {1, 1, 4}));
        expect_close(run_node("MaxPool", std::move(inputs), {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}})[0],
                     {kNaN, 4});
        std::vector<Tensor> global;
        global.push_back(floats(row, {1, 1, 4}));
        expect_close(run_node("GlobalMaxPool", std::move(global))[0], {kNaN});
    }
}

}  // namespace
}  // namespace lossmap::test
