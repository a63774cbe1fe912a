#include "graph_builder.hpp"

namespace lossmap::test {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Tensors are move-only, which initializer lists do not take.
template <typename... Tensors>
std::vector<Tensor> list(Tensors&&... tensors) {
    std::vector<Tensor> result;
    (result.push_back(std::move(tensors)), ...);
    return result;
}

Tensor scalar(double value) { return floats({value}, {}); }

TEST(ElementwiseTest, NanPassesThroughActivations) {
    for (const char* type :
         {"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSigmoid",
          "HardSwish", "Mish", "Gelu", "ThresholdedRelu", "Shrink", "Sign", "Abs", "Erf", "Sqrt"}) {
        const auto results = run_node(type, list(vector_of({kNaN, 0.5})), {}, 21);
        EXPECT_TRUE(std::isnan(results[0].as<float>()[0])) << type;
        EXPECT_FALSE(std::isnan(results[0].as<float>()[1])) << type;
    }
    expect_close(run_node("Clip", list(vector_of({kNaN, -3, 0.5, 3, kInfinity}), scalar(-1), scalar(1)))[0],
                 {kNaN, -1, 0.5, 1, 1});
    expect_close(run_node("Max", list(vector_of({kNaN, 1, 2}), vector_of({1, kNaN, 3})))[0], {kNaN, kNaN, 3});
    expect_close(run_node("Min", list(vector_of({kNaN, 1, 2}), vector_of({1, kNaN, 3})))[0], {kNaN, kNaN, 2});
    expect_close(run_node("ReduceMax", list(vector_of({1, kNaN, 3})))[0], {kNaN});
    EXPECT_EQ(run_node("ArgMax", list(vector_of({1, kNaN, 3})))[0].as<std::int64_t>()[0], 1);
}

TEST(ElementwiseTest, ActivationsFollowTheirFormulas) {
    const std::vector<double> x{-2.5, -0.3, 0.0, 0.7, 4.0};
    const auto check = [&](const std::string& type, const std::map<std::string, Attribute>& attributes, auto formula) {
        std::vector<double> expected;
        for (const double v : x)
            expected.push_back(formula(v));
        expect_close(run_node(type, list(vector_of(x)), attributes, 24)[0], expected);
    };
    check("LeakyRelu", {{"alpha", 0.2}}, [](double v) { return v > 0 ? v : 0.2 * v; });
    check("Elu", {{"alpha", 2.0}}, [](double v) { return v > 0 ? v : 2 * (std::exp(v) - 1); });
    check("Gelu", {}, [](double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); });
    check("Gelu", {{"approximate", std::string("tanh")}},
          [](double v) { return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))); });
    check("Softplus", {}, [](double v) { return std::log(1 + std::exp(v)); });
    check("Swish", {}, [](double v) { return v / (1 + std::exp(-v)); });
    check("HardSwish", {}, [](double v) { return v * std::clamp(v / 6 + 0.5, 0.0, 1.0); });
    check("Sigmoid", {}, [](double v) { return 1 / (1 + std::exp(-v)); });
}

TEST(ElementwiseTest, ClipTakesAttributesBelowOpset11) {
    expect_close(run_node("Clip", list(vector_of({-9, 3, 9})), {{"min", 0.0}, {"max", 6.0}}, 6)[0], {0, 3, 6});
    const auto results = run_node("Clip", list(int_tensor({-9, 3, 9}), Tensor::scalar<std::int64_t>(0)), {}, 13);
    EXPECT_THAT(results[0].as<std::int64_t>(), ::testing::ElementsAre(0, 3, 9));
}

TEST(ElementwiseTest, BroadcastsBothWays) {
    expect_close(run_node("Sub", list(floats({1, 2}, {2, 1}), floats({10, 20, 30}, {3})))[0],
                 {-9, -19, -29, -8, -18, -28});
    expect_close(run_node("Mul", list(floats({1, 2, 3, 4}, {2, 1, 2}), floats({1, 10}, {1, 2, 1})))[0],
                 {1, 2, 10, 20, 3, 4, 30, 40});
    EXPECT_EQ(run_node("Add", list(floats({}, {0, 3}), floats({1, 2, 3}, {3})))[0].shape(), (Shape{0, 3}));
    EXPECT_THAT(message_of([] {
                    (void)run_node("Add", list(vector_of({1, 2}), vector_of({1, 2, 3})));
                }),
                HasSubstr("shapes [2] and [3] do not broadcast"));
    expect_close(run_node("Add", list(floats({1, 2, 3, 4}, {2, 2}), vector_of({10, 20})),
                          {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{0}}}, 6)[0],
                 {11, 12, 23, 24});
}

TEST(ElementwiseTest, IntegersWrapAndDivideSafely) {
    EXPECT_EQ(run_node("Add", list(int_tensor({INT64_MAX}), int_tensor({1})))[0].as<std::int64_t>()[0], INT64_MIN);
    EXPECT_EQ(run_node("Div", list(int_tensor({INT64_MIN}), int_tensor({-1})))[0].as<std::int64_t>()[0], INT64_MIN);
    EXPECT_EQ(run_node("Mod", list(int_tensor({-7}), int_tensor({3})))[0].as<std::int64_t>()[0], 2);
    EXPECT_EQ(
        run_node("Mod", list(int_tensor({-7}), int_tensor({3})), {{"fmod", std::int64_t{1}}})[0].as<std::int64_t>()[0],
        -1);
    EXPECT_THAT(message_of([] { (void)run_node("Div", list(int_tensor({1}), int_tensor({0}))); }),
                HasSubstr("division by zero"));
    const std::vector<std::uint8_t> bytes{250};
    EXPECT_EQ(run_node("Add", list(Tensor::from<std::uint8_t>(bytes, {1}), Tensor::from<std::uint8_t>(bytes, {1})))[0]
                  .as<std::uint8_t>()[0],
              244);
}

TEST(SoftmaxTest, OpsetDecidesTheAxis) {
    const Tensor x = floats({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2});
    const auto softmax = [](std::vector<double> row) {
        double sum = 0;
        for (double& v : row)
            sum += v = std::exp(v);
        for (double& v : row)
            v /= sum;
        return row;
    };
    const double low = softmax({1, 2})[0], high = softmax({1, 2})[1];
    expect_close(run_node("Softmax", list(x.clone()))[0], {low, high, low, high, low, high, low, high});
    const std::vector<double> four = softmax({1, 2, 3, 4});
    std::vector<double> twice = four;
    twice.insert(twice.end(), four.begin(), four.end());
    expect_close(run_node("Softmax", list(x.clone()), {}, 11)[0], twice);
    const double row_sum = std::log(std::exp(0.0) + std::exp(1.0));
    expect_close(run_node("LogSoftmax", list(vector_of({1000, 1001})))[0], {-row_sum, 1 - row_sum});
    expect_close(run_node("Softmax", list(vector_of({kNaN, 1})))[0], {kNaN, kNaN});
}

TEST(NormalizationTest, BatchNormUsesStoredStatistics) {
    const auto results = run_node("BatchNormalization",
                                  list(floats({1, 2, 3, 4, 5, 6}, {1, 3, 2}), vector_of({2, 1, 1}),
                                       vector_of({0, 1, 0}), vector_of({1, 3, 0}), vector_of({4, 1, -1})),
                                  {{"epsilon", 0.0}});
    expect_close(results[0], {0, 1, 1, 2, kNaN, kNaN});
    EXPECT_THAT(message_of([] {
                    (void)run_node("BatchNormalization",
                                   list(noise({1, 3, 2}), noise({3}), noise({3}), noise({3}), noise({2})));
                }),
                HasSubstr("input 4 has shape [2], expected [3]"));
}

TEST(NormalizationTest, LayerNormIsShiftAndScaleFree) {
    const Tensor x = noise({3, 8});
    Tensor moved = x.clone();
    for (float& v : moved.as<float>())
        v = v * 4 + 2;
    const auto normalized = [](Tensor tensor) {
        return run_node("LayerNormalization", list(std::move(tensor), floats(std::vector<double>(8, 1.0), {8})),
                        {{"epsilon", 0.0}});
    };
    const auto a = normalized(x.clone());
    const auto b = normalized(std::move(moved));
    expect_close(a[0], to_doubles(b[0]), 1e-4);
    for (std::size_t row = 0; row < 3; ++row) {
        double sum = 0, squares = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            const double v = to_doubles(a[0])[row * 8 + i];
            sum += v;
            squares += v * v;
        }
        EXPECT_NEAR(sum, 0, 1e-5);
        EXPECT_NEAR(squares, 8, 1e-4);
    }
}

TEST(MatrixTest, GemmAgreesWithDefinition) {
    for (const bool ta : {false, true}) {
        for (const bool tb : {false, true}) {
            const Tensor a = noise(ta ? Shape{4, 3} : Shape{3, 4}, 1);
            const Tensor b = noise(tb ? Shape{5, 4} : Shape{4, 5}, 2);
            const Tensor c = noise({5}, 3);
            const auto results =
                run_node("Gemm", list(a.clone(), b.clone(), c.clone()),
                         {{"transA", std::int64_t{ta}}, {"transB", std::int64_t{tb}}, {"alpha", 0.5}, {"beta", 2.0}});
            std::vector<double> expected;
            const auto va = to_doubles(a), vb = to_doubles(b), vc = to_doubles(c);
            for (std::size_t m = 0; m < 3; ++m) {
                for (std::size_t n = 0; n < 5; ++n) {
                    double sum = 0;
                    for (std::size_t k = 0; k < 4; ++k)
                        sum += va[ta ? k * 3 + m : m * 4 + k] * vb[tb ? n * 4 + k : k * 5 + n];
                    expected.push_back(0.5 * sum + 2 * vc[n]);
                }
            }
            expect_close(results[0], expected);
        }
    }
    EXPECT_THAT(message_of([] {
                    (void)run_node("Gemm", list(noise({2, 3}), noise({4, 5})));
                }),
                HasSubstr("input has 3 features, weight expects 4"));
}

TEST(MatrixTest, MatMulBroadcastsBatchesAndVectors) {
    const Tensor a = noise({2, 1, 3, 4}, 1);
    const Tensor b = noise({5, 4, 2}, 2);
    const auto results = run_node("MatMul", list(a.clone(), b.clone()));
    ASSERT_EQ(results[0].shape(), (Shape{2, 5, 3, 2}));
    const auto va = to_doubles(a), vb = to_doubles(b);
    std::vector<double> expected;
    for (std::size_t i = 0; i < 2; ++i) {
        for (std::size_t j = 0; j < 5; ++j) {
            for (std::size_t m = 0; m < 3; ++m) {
                for (std::size_t n = 0; n < 2; ++n) {
                    double sum = 0;
                    for (std::size_t k = 0; k < 4; ++k)
                        sum += va[i * 12 + m * 4 + k] * vb[j * 8 + k * 2 + n];
                    expected.push_back(sum);
                }
            }
        }
    }
    expect_close(results[0], expected);
    EXPECT_EQ(run_node("MatMul", list(noise({4}), noise({4})))[0].shape(), Shape{});
    EXPECT_EQ(run_node("MatMul", list(noise({4}), noise({7, 4, 2})))[0].shape(), (Shape{7, 2}));
    expect_close(run_node("Einsum", list(a.clone(), b.clone()), {{"equation", std::string("...ij,...jk->...ik")}})[0],
                 expected);
}

TEST(ShapeOperatorsTest, OpsetVariantsAgree) {
    const Tensor x = noise({1, 4, 1});
    EXPECT_EQ(run_node("Squeeze", list(x.clone()), {{"axes", Ints{0}}}, 11)[0].shape(), (Shape{4, 1}));
    EXPECT_EQ(run_node("Squeeze", list(x.clone(), int_tensor({-1})), {}, 13)[0].shape(), (Shape{1, 4}));
    EXPECT_EQ(run_node("Squeeze", list(x.clone()), {}, 13)[0].shape(), (Shape{4}));
    EXPECT_EQ(run_node("Unsqueeze", list(x.clone()), {{"axes", Ints{0, -1}}}, 11)[0].shape(), (Shape{1, 1, 4, 1, 1}));
    EXPECT_EQ(run_node("ReduceSum", list(x.clone()), {{"axes", Ints{1}}, {"keepdims", std::int64_t{0}}}, 11)[0].shape(),
              (Shape{1, 1}));
    EXPECT_EQ(run_node("ReduceSum", list(x.clone(), int_tensor({-2})), {}, 13)[0].shape(), (Shape{1, 1, 1}));
    const Tensor row = vector_of({0, 1, 2, 3, 4, 5});
    expect_close(
        run_node("Slice", list(row.clone()), {{"starts", Ints{1}}, {"ends", Ints{-1}}, {"axes", Ints{0}}}, 9)[0],
        {1, 2, 3, 4});
    expect_close(run_node("Slice", list(row.clone(), int_tensor({-1}), int_tensor({INT64_MIN}), int_tensor({0}),
                                        int_tensor({-2})))[0],
                 {5, 3, 1});
    expect_close(run_node("Pad", list(vector_of({1, 2})), {{"pads", Ints{1, 1}}, {"value", 9.0}}, 10)[0], {9, 1, 2, 9});
}

TEST(ShapeOperatorsTest, ReshapeRules) {
    const auto shape = [](Ints target, std::int64_t allow_zero) {
        return run_node("Reshape", list(noise({2, 3, 4}), int_tensor(target)), {{"allowzero", allow_zero}})[0].shape();
    };
    EXPECT_EQ(shape({0, -1}, 0), (Shape{2, 12}));
    EXPECT_EQ(shape({4, 6}, 1), (Shape{4, 6}));
    EXPECT_THAT(message_of([&] { (void)shape({5, -1}, 0); }), HasSubstr("cannot take the shape [5, -1]"));
    EXPECT_THAT(message_of([&] { (void)shape({-1, -1}, 0); }), HasSubstr("more than one -1"));
    EXPECT_THAT(message_of([&] { (void)shape({0, 5}, 1); }), HasSubstr("cannot take"));
    EXPECT_EQ(
        run_node("Reshape", list(floats({}, {0, 3}), int_tensor({3, 0})), {{"allowzero", std::int64_t{1}}})[0].shape(),
        (Shape{3, 0}));
}

TEST(ShapeOperatorsTest, PadModes) {
    const auto pad = [](const char* mode, Ints widths) {
        return run_node("Pad", list(vector_of({1, 2, 3}), int_tensor(widths)), {{"mode", std::string(mode)}});
    };
    expect_close(pad("constant", {2, 1})[0], {0, 0, 1, 2, 3, 0});
    expect_close(pad("edge", {2, 1})[0], {1, 1, 1, 2, 3, 3});
    expect_close(pad("reflect", {2, 1})[0], {3, 2, 1, 2, 3, 2});
    expect_close(pad("constant", {-1, 1})[0], {2, 3, 0});
    expect_close(
        run_node("Pad", list(vector_of({1, 2, 3}), int_tensor({2, 1})), {{"mode", std::string("wrap")}}, 19)[0],
        {2, 3, 1, 2, 3, 1});
    expect_close(run_node("Pad", list(vector_of({kNaN}), int_tensor({1, 0}), scalar(kNaN)))[0], {kNaN, kNaN});
    EXPECT_THAT(message_of([&] { (void)pad("mirror", {1, 1}); }), HasSubstr("padding mode 'mirror' is not supported"));
}

TEST(ShapeOperatorsTest, CastConvertsAndSaturates) {
    const auto cast = [](std::int64_t to) {
        return run_node("Cast", list(vector_of({-1.7, 300, kNaN, 0})), {{"to", to}});
    };
    EXPECT_THAT(cast(7)[0].as<std::int64_t>(), ::testing::ElementsAre(-1, 300, 0, 0));
    EXPECT_THAT(cast(2)[0].as<std::uint8_t>(), ::testing::ElementsAre(0, 255, 0, 0));
    EXPECT_THAT(cast(9)[0].as<bool>(), ::testing::ElementsAre(true, true, true, false));
    EXPECT_EQ(cast(10)[0].dtype(), DType::f32);
    EXPECT_THAT(message_of([&] { (void)cast(8); }), HasSubstr("strings are not supported"));
}

TEST(IndexingTest, GatherChecksAndWrapsIndices) {
    expect_close(run_node("Gather", list(floats({1, 2, 3, 4, 5, 6}, {3, 2}), int_tensor({-1, 0})))[0], {5, 6, 1, 2});
    EXPECT_EQ(run_node("Gather", list(noise({3, 2}), Tensor::scalar<std::int64_t>(1)), {{"axis", std::int64_t{1}}})[0]
                  .shape(),
              (Shape{3}));
    EXPECT_THAT(message_of([] {
                    (void)run_node("Gather", list(noise({3, 2}), int_tensor({3})));
                }),
                HasSubstr("index 3 is outside a dimension of 3"));
    EXPECT_THAT(message_of([] {
                    (void)run_node("GatherND", list(noise({3, 2}), Tensor::from<std::int64_t>(Ints{9, 0}, {1, 2})));
                }),
                HasSubstr("index 9 is outside"));
}

TEST(ReductionTest, EmptyAndNegativeAxes) {
    expect_close(run_node("ReduceMean", list(floats({1, 2, 3, 4, 5, 6}, {2, 3})),
                          {{"axes", Ints{-1}}, {"keepdims", std::int64_t{0}}})[0],
                 {2, 5});
    expect_close(run_node("ReduceSum", list(floats({}, {0, 2}), int_tensor({0})))[0], {0, 0});
    expect_close(run_node("ReduceL2", list(floats({3, 4, 6, 8}, {2, 2})), {{"axes", Ints{1}}})[0], {5, 10});
    expect_close(run_node("ReduceLogSumExp", list(vector_of({1000, 1000})))[0], {1000 + std::log(2.0)});
    EXPECT_THAT(message_of([] {
                    (void)run_node("ReduceMean", list(noise({2, 3})), {{"axes", Ints{2}}});
                }),
                HasSubstr("axis 2 is outside"));
}

TEST(ResizeTest, NearestAndLinear) {
    const auto resize = [](const char* mode, const char* coordinates) {
        return run_node("Resize", list(floats({1, 2, 3, 4}, {1, 1, 4}), Tensor(), floats({1, 1, 2}, {3})),
                        {{"mode", std::string(mode)},
                         {"coordinate_transformation_mode", std::string(coordinates)},
                         {"nearest_mode", std::string("floor")}});
    };
    expect_close(resize("nearest", "asymmetric")[0], {1, 1, 2, 2, 3, 3, 4, 4});
    expect_close(resize("linear", "half_pixel")[0], {1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4});
    expect_close(resize("linear", "align_corners")[0],
                 {1, 1 + 3.0 / 7, 1 + 6.0 / 7, 1 + 9.0 / 7, 1 + 12.0 / 7, 1 + 15.0 / 7, 1 + 18.0 / 7, 4});
}

TEST(RecurrentTest, LstmAgreesWithDefinition) {
    const std::size_t hidden = 2, features = 3, steps = 4;
    const Tensor x = noise({4, 1, 3}, 1), w = noise({1, 8, 3}, 2), r = noise({1, 8, 2}, 3), b = noise({1, 16}, 4);
    const auto results =
        run_node("LSTM", list(x.clone(), w.clone(), r.clone(), b.clone()), {{"hidden_size", std::int64_t{2}}}, 17, 3);
    const auto vx = to_doubles(x), vw = to_doubles(w), vr = to_doubles(r), vb = to_doubles(b);
    std::vector<double> h(hidden, 0), c(hidden, 0), expected;
    const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
    for (std::size_t t = 0; t < steps; ++t) {
        std::vector<double> gates;
        for (std::size_t row = 0; row < 4 * hidden; ++row) {
            double sum = vb[row] + vb[4 * hidden + row];
            for (std::size_t i = 0; i < features; ++i)
                sum += vw[row * features + i] * vx[t * features + i];
            for (std::size_t i = 0; i < hidden; ++i)
                sum += vr[row * hidden + i] * h[i];
            gates.push_back(sum);
        }
        for (std::size_t k = 0; k < hidden; ++k) {
            c[k] = sigmoid(gates[2 * hidden + k]) * c[k] + sigmoid(gates[k]) * std::tanh(gates[3 * hidden + k]);
            h[k] = sigmoid(gates[hidden + k]) * std::tanh(c[k]);
            expected.push_back(h[k]);
        }
    }
    expect_close(results[0], expected);
    expect_close(results[1], h);
    expect_close(results[2], c);
}

TEST(AttentionTest, CausalRowsSeeOnlyThePast) {
    const Tensor q = noise({1, 1, 3, 2}, 1), k = noise({1, 1, 3, 2}, 2), v = noise({1, 1, 3, 2}, 3);
    const auto results =
        run_node("Attention", list(q.clone(), k.clone(), v.clone()), {{"is_causal", std::int64_t{1}}}, 23);
    const auto vq = to_doubles(q), vk = to_doubles(k), vv = to_doubles(v);
    std::vector<double> expected;
    for (std::size_t i = 0; i < 3; ++i) {
        double total = 0, first = 0, second = 0;
        for (std::size_t j = 0; j <= i; ++j) {
            const double weight = std::exp((vq[2 * i] * vk[2 * j] + vq[2 * i + 1] * vk[2 * j + 1]) / std::sqrt(2.0));
            total += weight;
            first += weight * vv[2 * j];
            second += weight * vv[2 * j + 1];
        }
        expected.push_back(first / total);
        expected.push_back(second / total);
    }
    expect_close(results[0], expected);
}

TEST(OrderingTest, TopKAndCumSum) {
    const auto results = run_node("TopK", list(vector_of({3, kNaN, 5, 5}), int_tensor({3})), {}, 17, 2);
    expect_close(results[0], {kNaN, 5, 5});
    EXPECT_THAT(results[1].as<std::int64_t>(), ::testing::ElementsAre(1, 2, 3));
    expect_close(run_node("CumSum", list(vector_of({1, 2, 3}), Tensor::scalar<std::int64_t>(0)),
                          {{"exclusive", std::int64_t{1}}, {"reverse", std::int64_t{1}}})[0],
                 {5, 3, 0});
}

}  // namespace
}  // namespace lossmap::test
