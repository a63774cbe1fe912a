#include "graph/specialize.hpp"

#include "graph_builder.hpp"

namespace lossmap::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

/// The legacy exporter's zero-padded shortcut of a CIFAR ResNet: x[:, :, ::2, ::2] and pad of the channels, the widths
/// computed by shape arithmetic.
GraphBuilder padded_shortcut() {
    GraphBuilder b(13);
    const ValueId x = b.input("x", {{-1, "batch"}, {16, ""}, {8, ""}, {8, ""}});
    const ValueId sliced =
        b.node("Slice", {x, b.ints({0, 0}), b.ints({INT64_MAX, INT64_MAX}), b.ints({2, 3}), b.ints({2, 2})});
    const ValueId channels = b.node("Gather", {b.node("Shape", {sliced}), b.scalar(1)}, {{"axis", std::int64_t{0}}});
    const ValueId half = b.node("Div", {channels, b.scalar(2)});
    const ValueId one = b.node("Unsqueeze", {half, b.ints({0})});
    // widths for (W, H, C, N), last dimension first, as torch's F.pad takes them
    const ValueId widths = b.node("Concat", {b.ints({0, 0, 0, 0}), one, one}, {{"axis", std::int64_t{0}}});
    const ValueId length = b.node("Sub", {b.scalar(8), b.scalar(6)});
    const auto zero = std::make_shared<const Tensor>(Tensor::from<std::int64_t>(Ints{0}, {1}));
    const ValueId zeros = b.node("ConstantOfShape", {b.node("Unsqueeze", {length, b.ints({0})})}, {{"value", zero}});
    const ValueId full = b.node("Concat", {widths, zeros}, {{"axis", std::int64_t{0}}});
    const ValueId pairs = b.node("Reshape", {full, b.ints({-1, 2})});
    const ValueId reversed = b.node("Slice", {pairs, b.ints({-1}), b.ints({INT64_MIN}), b.ints({0}), b.ints({-1})});
    const ValueId turned = b.node("Transpose", {reversed}, {{"perm", Ints{1, 0}}});
    const ValueId flat = b.node("Cast", {b.node("Reshape", {turned, b.ints({-1})})}, {{"to", std::int64_t{7}}});
    const ValueId value = b.constant<float>({0.0f}, {});
    b.output(b.node("Pad", {sliced, flat, value}, {{"mode", std::string("constant")}}));
    return b;
}

TEST(SpecializeTest, ShapeArithmeticOfPaddedShortcutFolds) {
    GraphBuilder b = padded_shortcut();
    const Graph graph = specialize(b.graph(), {{"x", {3, 16, 8, 8}}});
    ASSERT_EQ(graph.nodes.size(), 2u);
    EXPECT_EQ(graph.nodes[0].op_type, "Slice");
    EXPECT_EQ(graph.nodes[1].op_type, "Pad");
    const Value& pads = graph.value(graph.nodes[1].inputs[1]);
    EXPECT_EQ(pads.kind, ValueKind::constant);
    EXPECT_THAT(pads.data->as<std::int64_t>(), ElementsAre(0, 8, 0, 0, 0, 8, 0, 0));
    EXPECT_EQ(graph.value(graph.outputs[0]).shape, (Shape{3, 32, 4, 4}));

    const Tensor x = noise({3, 16, 8, 8});
    const std::vector<Tensor> results = run_graph(graph, {{"x", &x}});
    std::vector<double> expected;
    for (int n = 0; n < 3; ++n) {
        for (int c = -8; c < 24; ++c) {
            for (int h = 0; h < 8; h += 2) {
                for (int w = 0; w < 8; w += 2) {
                    const bool inside = c >= 0 && c < 16;
                    expected.push_back(
                        inside ? static_cast<double>(
                                     x.as<float>()[static_cast<std::size_t>(((n * 16 + c) * 8 + h) * 8 + w)])
                               : 0.0);
                }
            }
        }
    }
    expect_close(results[0], expected, 0);
}

TEST(SpecializeTest, ParametersStayAndTheirShapesFold) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    const ValueId weight = b.constant(noise({4, 3}), ValueKind::parameter);
    const ValueId turned = b.node("Transpose", {weight});
    // A zero bias made from the weight's shape, as torch.onnx writes it with optimize=False.
    const ValueId count = b.node("Slice", {b.node("Shape", {weight}), b.ints({0}), b.ints({1}), b.ints({0})});
    const ValueId zero = b.constant<double>({0.0}, {});
    const ValueId bias = b.node("CastLike", {b.node("Expand", {zero, count}), weight});
    b.output(b.node("Gemm", {x, turned, bias}));
    const Graph graph = specialize(b.graph(), {{"x", {5, 3}}});
    ASSERT_EQ(graph.nodes.size(), 2u);
    EXPECT_EQ(graph.nodes[0].op_type, "Transpose");
    EXPECT_EQ(graph.value(bias).kind, ValueKind::constant);
    EXPECT_EQ(graph.value(bias).dtype, DType::f32);
    EXPECT_EQ(graph.value(weight).kind, ValueKind::parameter);
    EXPECT_EQ(graph.value(graph.outputs[0]).shape, (Shape{5, 4}));
}

TEST(SpecializeTest, IdentityAndDropoutAreForwarded) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    const ValueId same = b.node("Identity", {x});
    const auto dropped = b.node_with_outputs("Dropout", {same}, 2);
    const ValueId y = b.node("Relu", {dropped[0]});
    b.output(b.node("Identity", {y}));
    b.output(dropped[1]);
    const Graph graph = specialize(b.graph(), {{"x", {2, 2}}});
    ASSERT_EQ(graph.nodes.size(), 1u);
    EXPECT_EQ(graph.nodes[0].inputs[0], x);
    EXPECT_EQ(graph.outputs[0], y);
    EXPECT_THAT(graph.value(graph.outputs[1]).data->as<bool>(), ElementsAre(true, true, true, true));
}

TEST(SpecializeTest, DropoutInTrainingModeIsRefused) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    b.output(b.node("Dropout", {x, b.constant<float>({0.5f}, {}), b.constant(Tensor::scalar(true))}));
    const std::string message = message_of([&] { (void)specialize(b.graph(), {{"x", {2}}}); });
    EXPECT_EQ(message, "Dropout 'Dropout_0' (opset 17): training mode is not supported");
}

TEST(SpecializeTest, DeclaredShapesAreChecked) {
    GraphBuilder b;
    const ValueId x = b.input("x", {{-1, "batch"}, {3, ""}});
    const ValueId y = b.input("y", {{-1, "batch"}, {-1, ""}});
    b.output(b.node("Concat", {x, y}, {{"axis", std::int64_t{1}}}));
    EXPECT_EQ(specialize(b.graph(), {{"x", {2, 3}}, {"y", {2, 7}}}).value(b.graph().outputs[0]).shape, (Shape{2, 10}));
    const auto message = [&](const std::map<std::string, Shape>& shapes) {
        return message_of([&] { (void)specialize(b.graph(), shapes); });
    };
    EXPECT_EQ(message({{"x", {2, 4}}, {"y", {2, 7}}}), "input 'x' has shape [2, 4], the model declares [batch, 3]");
    EXPECT_EQ(message({{"x", {2, 3}}, {"y", {4, 7}}}), "input 'y': dimension 0 ('batch') is 4, elsewhere it is 2");
    EXPECT_EQ(message({{"x", {2, 3}}}), "no shape is given for the model's input 'y'");
    EXPECT_EQ(message({{"x", {2, 3}}, {"y", {2, 7}}, {"z", {1}}}), "the model has no input named 'z'");
    EXPECT_EQ(declared_batch(b.graph()), -1);
}

TEST(SpecializeTest, ErrorsNameTheNode) {
    GraphBuilder b(13);
    const ValueId x = b.input("x");
    b.output(b.node("Conv", {x, b.constant(noise({8, 16, 3, 3}))}));
    EXPECT_EQ(message_of([&] {
                  (void)specialize(b.graph(), {{"x", {1, 3, 8, 8}}});
              }),
              "Conv 'Conv_0' (opset 13): input has 3 channels, weight expects 16");
}

TEST(SpecializeTest, ShapesThatDependOnDataAreRefused) {
    GraphBuilder b;
    const ValueId x = b.input("x", {}, DType::i64);
    b.output(b.node("ConstantOfShape", {x}));
    EXPECT_THAT(message_of([&] {
                    (void)specialize(b.graph(), {{"x", {1}}});
                }),
                HasSubstr("must be known before running"));
}

TEST(SpecializeTest, AbsurdConstantsAreRefused) {
    GraphBuilder b;
    b.output(b.node("ConstantOfShape", {b.ints({1 << 20, 1 << 12})}));
    EXPECT_THAT(message_of([&] { (void)specialize(b.graph(), {}); }), HasSubstr("too large"));
    GraphBuilder overflow;
    overflow.output(overflow.node("ConstantOfShape", {overflow.ints({INT64_MAX, 4})}));
    EXPECT_THROW((void)specialize(overflow.graph(), {}), InputError);
}

TEST(SpecializeTest, ChunksThroughSequencesBecomeSplit) {
    GraphBuilder b;
    const ValueId x = b.input("x");
    const ValueId list = b.node("SplitToSequence", {x, b.scalar(2)}, {{"axis", std::int64_t{1}}});
    const ValueId last = b.node("SequenceAt", {list, b.scalar(-1)});
    const ValueId first = b.node("SequenceAt", {list, b.scalar(0)});
    b.output(b.node("Sub", {first, last}));
    b.output(b.node("SequenceLength", {list}));
    const Graph graph = specialize(b.graph(), {{"x", {1, 4}}});
    ASSERT_EQ(graph.nodes.size(), 2u);
    EXPECT_EQ(graph.nodes[0].op_type, "Split");
    const Tensor x_value = floats({1, 2, 30, 40}, {1, 4});
    const std::vector<Tensor> results = run_graph(graph, {{"x", &x_value}});
    expect_close(results[0], {-29, -38});
    expect_close(results[1], {2});
}

std::shared_ptr<const Graph> branch_adding(double number) {
    GraphBuilder b;
    Value captured;
    captured.name = "x";
    const ValueId x = b.graph().add_value(captured);
    b.output(b.node("Add", {x, b.constant(floats({number}, {}))}));
    return std::make_shared<const Graph>(b.graph());
}

TEST(SpecializeTest, ConstantConditionsPickTheirBranch) {
    for (const bool condition : {true, false}) {
        GraphBuilder b;
        (void)b.input("x");
        const ValueId flag = b.constant(Tensor::scalar(condition));
        b.output(b.node("If", {flag}, {{"then_branch", branch_adding(1)}, {"else_branch", branch_adding(-1)}}));
        const Graph graph = specialize(b.graph(), {{"x", {2}}});
        ASSERT_EQ(graph.nodes.size(), 1u);
        const Tensor x = vector_of({5, 6});
        expect_close(run_graph(graph, {{"x", &x}})[0],
                     condition ? std::vector<double>{6, 7} : std::vector<double>{4, 5});
    }
}

TEST(SpecializeTest, LoopsWithConstantTripCountAreUnrolled) {
    GraphBuilder body;
    const ValueId trip = body.input("trip", {}, DType::i64);
    const ValueId going_on = body.input("condition", {}, DType::boolean);
    const ValueId total = body.input("total");
    const ValueId next = body.node("Add", {total, body.node("Cast", {trip}, {{"to", std::int64_t{1}}})});
    body.output(body.node("Identity", {going_on}));
    body.output(next);
    body.output(body.node("Identity", {next}));
    GraphBuilder b;
    const ValueId x = b.input("x");
    const auto results = b.node_with_outputs("Loop", {b.scalar(4), kNoValue, x}, 2,
                                             {{"body", std::make_shared<const Graph>(body.graph())}});
    b.output(results[0]);
    b.output(results[1]);
    const Graph graph = specialize(b.graph(), {{"x", {1}}});
    const Tensor start = vector_of({10});
    const std::vector<Tensor> values = run_graph(graph, {{"x", &start}});
    expect_close(values[0], {16});
    EXPECT_EQ(values[1].shape(), (Shape{4, 1}));
    expect_close(values[1], {10, 11, 13, 16});
}

TEST(SpecializeTest, ValueIdsAndUntouchedSourceAreKept) {
    GraphBuilder b = padded_shortcut();
    const std::size_t nodes = b.graph().nodes.size();
    const Graph graph = specialize(b.graph(), {{"x", {1, 16, 8, 8}}});
    EXPECT_EQ(b.graph().nodes.size(), nodes);
    for (std::size_t k = 0; k < b.graph().values.size(); ++k)
        EXPECT_EQ(graph.values[k].name, b.graph().values[k].name);
}

TEST(SpecializeTest, WithoutFoldingFloatingPointConstantsStayComputed) {
    GraphBuilder b;
    const ValueId x = b.input("x", {{-1, "n"}, {2, ""}});
    const ValueId sum = b.node("Add", {b.constant<float>({1.0f, 2.0f}, {2}), b.constant<float>({0.5f, -0.5f}, {2})});
    const ValueId half = b.node("Sub", {b.scalar(3), b.scalar(1)});
    const ValueId shape =
        b.node("Concat", {b.ints({-1}), b.node("Unsqueeze", {half, b.ints({0})})}, {{"axis", std::int64_t{0}}});
    b.output(b.node("Reshape", {b.node("Add", {x, sum}), shape}));
    const std::map<std::string, Shape> shapes{{"x", {3, 2}}};
    const Graph folded = specialize(b.graph(), shapes);
    const Graph kept = specialize(b.graph(), shapes, {.fold_constants = false});
    EXPECT_EQ(folded.nodes.size(), 2u);
    ASSERT_EQ(kept.nodes.size(), 3u);  // the sum of constants stays, integers are folded all the same
    EXPECT_EQ(kept.value(kept.nodes[0].outputs[0]).kind, ValueKind::computed);
    const Tensor input = noise({3, 2});
    const auto a = run_graph(folded, {{"x", &input}});
    const auto c = run_graph(kept, {{"x", &input}});
    EXPECT_TRUE(std::ranges::equal(a[0].as<float>(), c[0].as<float>()));
}

TEST(SpecializeTest, DeadNodesMayStay) {
    GraphBuilder b;
    const ValueId x = b.input("x", {{-1, "n"}, {2, ""}});
    b.node("Exp", {x});
    b.output(b.node("Relu", {x}));
    EXPECT_EQ(specialize(b.graph(), {{"x", {3, 2}}}).nodes.size(), 1u);
    EXPECT_EQ(specialize(b.graph(), {{"x", {3, 2}}}, {.drop_dead_nodes = false}).nodes.size(), 2u);
}

}  // namespace
}  // namespace lossmap::test
