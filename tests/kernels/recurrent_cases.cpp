#include <fmt/format.h>

#include "kernel_case.hpp"

namespace lossmap::kernels::test {
namespace {

constexpr std::int64_t kPoints = 2, kSteps = 4, kBatch = 3, kFeatures = 5, kHidden = 6;

struct RecurrentCase {
    std::string op_type;  ///< LSTM, GRU, RNN
    bool reverse = false;
    bool with_lengths = false;
    bool linear_before_reset = false;
    bool peephole = false;
    double clip = 0.0;

    [[nodiscard]] std::int64_t gates() const { return op_type == "LSTM" ? 4 : op_type == "GRU" ? 3 : 1; }
    [[nodiscard]] std::string name() const {
        return fmt::format("{}{}{}{}{}{}", op_type, reverse ? "_reverse" : "", with_lengths ? "_lengths" : "",
                           linear_before_reset ? "_linear_before_reset" : "", peephole ? "_peephole" : "",
                           clip > 0 ? "_clip" : "");
    }
};

/// Operands of the layer, all moving with the points but the input.
struct Layer {
    Tensor x = random_floats({kSteps, kBatch, kFeatures}, 211, 2.0);
    Tensor w, r, bias, h, c, peephole;
    std::vector<std::int32_t> lengths{4, 1, 3};

    explicit Layer(std::int64_t gates)
        : w(random_floats({kPoints, 1, gates * kHidden, kFeatures}, 212)),
          r(random_floats({kPoints, 1, gates * kHidden, kHidden}, 213)),
          bias(random_floats({kPoints, 1, 2 * gates * kHidden}, 214)),
          h(random_floats({kPoints, 1, kBatch, kHidden}, 215)),
          c(random_floats({kPoints, 1, kBatch, kHidden}, 216)),
          peephole(random_floats({kPoints, 1, 3 * kHidden}, 217)) {}
};

/// The layer step by step: products by the gemm kernel, cells by the cell kernels.
class LayerRun {
public:
    LayerRun(Device& device, const RecurrentCase& c) : device_(device), case_(c), layer_(c.gates()) {
        state_ = copy(layer_.h);
        out_ = {device_.put(std::vector<float>(kPoints * kSteps * kBatch * kHidden, 0.0F)), DType::f32,
                kSteps * kBatch * kHidden};
        cell_state_ = copy(layer_.c);
        w_ = device_.input(layer_.w, kPoints);
        r_ = device_.input(layer_.r, kPoints);
        bias_ = device_.input(layer_.bias, kPoints);
        const std::int64_t width = c.gates() * kHidden;
        from_input_ = device_.output(DType::f32, kPoints, kSteps * kBatch * width);
        from_state_ = device_.output(DType::f32, kPoints, kBatch * width);
        multiply(device_.input(layer_.x), w_, bias_, from_input_, kSteps * kBatch, kFeatures, 0, c.gates());
    }

    std::vector<Tensor> run() {
        for (std::int64_t step = 0; step < kSteps; ++step)
            run_step(step);
        std::vector<Tensor> results = list_of(device_.fetch(out_, kPoints, kSteps * kBatch * kHidden),
                                              device_.fetch(state_, kPoints, kBatch * kHidden));
        if (case_.op_type == "LSTM") results.push_back(device_.fetch(cell_state_, kPoints, kBatch * kHidden));
        return results;
    }

private:
    Output copy(const Tensor& values) {
        const Input input = device_.input(values, kPoints);
        return {const_cast<void*>(input.data), input.type, input.point_stride};
    }

    /// target[:, gates] = rows W^T + bias for `gates` gates from `first` on.
    void multiply(Input rows, Input weights, Input bias, Output target, std::int64_t count, std::int64_t depth,
                  std::int64_t first, std::int64_t gates) {
        const std::int64_t width = case_.gates() * kHidden;
        GemmArgs args;
        args.a = rows;
        args.b = weights;
        args.b.data = static_cast<const float*>(weights.data) + first * kHidden * depth;
        args.addend = bias;
        args.addend.data = static_cast<const float*>(bias.data) + first * kHidden;
        args.out = target;
        args.out.data = static_cast<float*>(target.data) + first * kHidden;
        args.points = kPoints;
        args.m = count;
        args.n = gates * kHidden;
        args.k = depth;
        args.a_strides = {depth, 1, 0};
        args.b_strides = {1, depth, 0};
        args.addend_strides = {0, 1, 0};
        args.out_strides = {width, 1, 0};
        device_.table().gemm(args, device_.queue());
    }

    void run_step(std::int64_t step) {
        Input state_bias = bias_;
        state_bias.data = static_cast<const float*>(bias_.data) + case_.gates() * kHidden;
        const Input state{state_.data, DType::f32, state_.point_stride};
        multiply(state, r_, state_bias, from_state_, kBatch, kHidden, 0, case_.gates());
        const CellStep cell = cell_at(step);
        if (case_.op_type == "RNN") return device_.table().rnn_cell({cell, {UnaryOp::tanh, 0, 0}}, device_.queue());
        if (case_.op_type == "LSTM") {
            LstmCellArgs args{
                cell, cell_state_, {}, false, {UnaryOp::sigmoid, 0, 0}, {UnaryOp::tanh, 0, 0}, {UnaryOp::tanh, 0, 0}};
            if (case_.peephole) args.peephole = device_.input(layer_.peephole, kPoints);
            return device_.table().lstm_cell(args, device_.queue());
        }
        GruCellArgs args{cell, case_.linear_before_reset, {}, {UnaryOp::sigmoid, 0, 0}, {UnaryOp::tanh, 0, 0}};
        if (!case_.linear_before_reset) {
            args.reset_state = device_.output(DType::f32, kPoints, kBatch * kHidden);
            device_.table().gru_reset(args, device_.queue());
            multiply({args.reset_state.data, DType::f32, kBatch * kHidden}, r_, state_bias, from_state_, kBatch,
                     kHidden, 2, 1);
        }
        device_.table().gru_output(args, device_.queue());
    }

    CellStep cell_at(std::int64_t step) {
        const std::int64_t width = case_.gates() * kHidden;
        CellStep cell;
        cell.points = kPoints;
        cell.step = step;
        cell.steps = kSteps;
        cell.batch = kBatch;
        cell.hidden = kHidden;
        cell.reverse = case_.reverse;
        if (case_.with_lengths) cell.lengths = device_.put(layer_.lengths);
        cell.lengths_type = DType::i32;
        cell.from_input = {from_input_.data, DType::f32, from_input_.point_stride};
        cell.input_step_stride = kBatch * width;
        cell.input_batch_stride = width;
        cell.from_state = {from_state_.data, DType::f32, from_state_.point_stride};
        cell.state = state_;
        cell.out = out_;
        cell.out_step_stride = kBatch * kHidden;
        cell.out_batch_stride = kHidden;
        cell.clip = static_cast<float>(case_.clip);
        return cell;
    }

    Device& device_;
    RecurrentCase case_;
    Layer layer_;
    Output state_, out_, cell_state_, from_input_, from_state_;
    Input w_, r_, bias_;
};

KernelCase layer_case(const std::string& kernel, const RecurrentCase& c) {
    return {kernel, c.name(), [=](Device& device) { return LayerRun(device, c).run(); },
            [=] {
                const Layer layer(c.gates());
                const Tensor lengths = Tensor::from<std::int32_t>(
                    c.with_lengths ? layer.lengths : std::vector<std::int32_t>(kBatch, kSteps), {kBatch});
                std::vector<PointTensor> inputs{shared(layer.x),       per_point(layer.w), per_point(layer.r),
                                                per_point(layer.bias), shared(lengths),    per_point(layer.h)};
                if (c.op_type == "LSTM") inputs.push_back(per_point(layer.c));
                if (c.peephole) inputs.push_back(per_point(layer.peephole));
                AttributeMap attributes{{"direction", std::string(c.reverse ? "reverse" : "forward")},
                                        {"hidden_size", kHidden}};
                if (c.op_type == "GRU") attributes["linear_before_reset"] = std::int64_t{c.linear_before_reset};
                if (c.clip > 0.0) attributes["clip"] = c.clip;
                return operator_at_points(c.op_type, kPoints, inputs, attributes, 17, c.op_type == "LSTM" ? 3 : 2);
            },
            2e-6};
}

}  // namespace

std::vector<KernelCase> recurrent_cases() {
    std::vector<KernelCase> cases;
    for (const bool reverse : {false, true}) {
        for (const bool lengths : {false, true}) {
            cases.push_back(layer_case("lstm_cell", {"LSTM", reverse, lengths}));
            cases.push_back(layer_case("gru_reset", {"GRU", reverse, lengths, false}));
            cases.push_back(layer_case("gru_output", {"GRU", reverse, lengths, true}));
            cases.push_back(layer_case("rnn_cell", {"RNN", reverse, lengths}));
        }
    }
    cases.push_back(layer_case("lstm_cell", {"LSTM", false, false, false, true, 0.75}));
    return cases;
}

}  // namespace lossmap::kernels::test
