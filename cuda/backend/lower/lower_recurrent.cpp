#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "cuda/backend/lower/arrays.hpp"
#include "cuda/backend/lower/lowerings.hpp"
#include "cuda/backend/lower/products.hpp"
#include "cuda/backend/lower/unary_functions.hpp"
#include "graph/ops/recurrent_activation.hpp"

namespace lossmap::cuda {
namespace {

/// A recurrent layer: the products with the inputs of all steps at once, then step by step the products with the state
/// and the cells. Products' results and the LSTM's cell state are f32, what enters a product is of the precision's
/// type.
class RecurrentLowering {
public:
    RecurrentLowering(ProgramBuilder& builder, const Node& node)
        : builder_(builder),
          node_(node),
          result_(first_output(node)),
          sequence_(builder, result_),
          type_(builder.per_point(result_) ? builder.activation_type() : DType::f32),
          batch_first_(node.attributes.get_int("layout", 0) != 0) {
        const Shape& x = builder.shape(node.inputs[0]);
        const Shape& r = builder.shape(node.inputs[2]);
        steps_ = x[batch_first_ ? 1 : 0];
        batch_ = x[batch_first_ ? 0 : 1];
        features_ = x[2];
        directions_ = r[0];
        hidden_ = r[2];
        gates_ = r[1] / hidden_;
    }

    void lower() {
        if (builder_.phase_of(result_) != Phase::tile)
            throw UnsupportedError("a recurrent layer of parameters is not supported on the GPU");
        for (const std::size_t k : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
            if (node_.has_input(k) && depends_on_samples(builder_.class_of(node_.inputs[k])))
                throw UnsupportedError("weights that depend on the data are not supported on the GPU");
        }
        input_ = builder_.read(node_.inputs[0], {Demand::Form::dense, type_});
        if (node_.has_input(4)) lengths_ = builder_.read(node_.inputs[4], {Demand::Form::dense, {}});
        if (node_.has_output(0)) {
            all_ = builder_.write(node_.outputs[0]);
            if (lengths_) sequence_.fill(*all_, 0.0);
        }
        for (std::size_t k = 1; k < node_.outputs.size(); ++k)
            states_.push_back(node_.has_output(k) ? std::optional(builder_.write(node_.outputs[k])) : std::nullopt);
        for (std::int64_t d = 0; d < directions_; ++d)
            run_direction(d);
        if (builder_.phase_of(result_) == Phase::tile)
            builder_.count_macs(directions_ * steps_ * batch_ * gates_ * hidden_ * (features_ + hidden_));
    }

private:
    static ValueId first_output(const Node& node) {
        for (const ValueId id : node.outputs) {
            if (id != kNoValue) return id;
        }
        throw InternalError("a node without outputs");
    }

    /// Weights [D, G * H, width] of one direction, in the type of products.
    [[nodiscard]] Located weights(std::size_t index, std::int64_t d) {
        Located array = builder_.find(node_.inputs[index]);
        if (!array.pristine) array = builder_.read(node_.inputs[index], {Demand::Form::any, {}});
        return builder_.convert(picked(array, 0, d), {Demand::Form::dense, type_},
                                builder_.phase_of(node_.inputs[index]));
    }

    /// Rows [begin, begin + count) of a vector [D, ..] of one direction, f32.
    [[nodiscard]] Located entries(std::size_t index, std::int64_t d, std::int64_t begin, std::int64_t count) {
        const Located array = builder_.read(node_.inputs[index], {Demand::Form::dense, DType::f32});
        return sliced(picked(array, 0, d), 0, begin, count);
    }

    /// a [rows, inner] times the transposed weights, plus the bias.
    [[nodiscard]] Located product(const Located& a, const Located& weights, const std::optional<Located>& bias,
                                  std::int64_t rows) {
        Product product;
        product.a = a;
        product.b = weights;
        product.bias = bias;
        product.rows = rows;
        product.columns = weights.shape[0];
        product.inner = weights.shape[1];
        product.transpose_b = true;
        product.result = sequence_.temporary(DType::f32, {rows, product.columns});
        const JoinedWork done = add_product(builder_, product, sequence_.points, sequence_.phase);
        if (bias && !done.bias) sequence_.binary(kernels::BinaryOp::add, product.result, *bias, product.result);
        return product.result;
    }

    /// h or c [batch, hidden] in front of the first step.
    [[nodiscard]] Located initial_state(std::size_t index, std::int64_t d, DType type) {
        Located state = sequence_.temporary(type, {batch_, hidden_});
        if (!node_.has_input(index)) {
            sequence_.fill(state, 0.0);
            return state;
        }
        const Located given = builder_.read(node_.inputs[index], {Demand::Form::any, type});
        sequence_.copy(picked(given, batch_first_ ? 1 : 0, d), state);
        return state;
    }

    [[nodiscard]] kernels::UnaryFunction activation(std::int64_t d, std::size_t which) const {
        const auto all = ops::recurrent_activations(node_, directions_);
        const std::size_t per_direction = all.size() / static_cast<std::size_t>(directions_);
        const ops::RecurrentActivation& own = all.at(static_cast<std::size_t>(d) * per_direction + which);
        const auto function = recurrent_activation(own.name, own.alpha, own.beta);
        if (!function) throw UnsupportedError("activation '{}' is not supported on the GPU", own.name);
        return *function;
    }

    /// What all kinds of cells share.
    template <typename Args>
    void set_step(KernelOperation<Args>& operation, std::int64_t d, std::int64_t step, const Located& from_input,
                  const Located& from_state, const Located& state) {
        kernels::CellStep& cell = operation.args.cell;
        cell.points = sequence_.points;
        cell.step = step;
        cell.steps = steps_;
        cell.batch = batch_;
        cell.hidden = hidden_;
        cell.reverse = d == 1 || node_.attributes.get_string("direction", "forward") == "reverse";
        cell.clip = static_cast<float>(node_.attributes.get_float("clip", 0.0));
        if (lengths_) {
            operation.bind(cell.lengths, *lengths_, false);
            cell.lengths_type = lengths_->type;
        }
        const std::int64_t row = gates_ * hidden_;
        cell.input_step_stride = batch_first_ ? row : batch_ * row;
        cell.input_batch_stride = batch_first_ ? steps_ * row : row;
        operation.read(cell.from_input, from_input);
        operation.read(cell.from_state, from_state);
        operation.write(cell.state, state);
        if (!all_) return;
        // [T, D, N, H], or with the batch first [N, T, D, H].
        Located own = *all_;
        const std::size_t axis = batch_first_ ? 2 : 1;
        own = picked(own, axis, d);
        cell.out_step_stride = own.strides[batch_first_ ? 1 : 0];
        cell.out_batch_stride = own.strides[batch_first_ ? 0 : 1];
        operation.write(cell.out, own);
    }

    void run_direction(std::int64_t d) {
        const std::int64_t rows = gates_ * hidden_;
        std::optional<Located> input_bias;
        std::optional<Located> state_bias;
        if (node_.has_input(3)) {
            input_bias = entries(3, d, 0, rows);
            state_bias = entries(3, d, rows, rows);
        }
        const Located from_input = product(input_, weights(1, d), input_bias, steps_ * batch_);
        const Located recurrent = weights(2, d);
        const Located state = initial_state(5, d, type_);
        std::optional<Located> cell_state;
        if (node_.op_type == "LSTM") cell_state = initial_state(6, d, DType::f32);
        for (std::int64_t step = 0; step < steps_; ++step) {
            const Located from_state = product(state, recurrent, state_bias, batch_);
            if (cell_state) {
                lstm_step(d, step, from_input, from_state, state, *cell_state);
            } else if (node_.op_type == "GRU") {
                gru_step(d, step, from_input, from_state, state, recurrent, state_bias);
            } else {
                auto operation =
                    builder_.kernel_of<kernels::RnnCellArgs>("rnn_cell", builder_.kernels().rnn_cell, sequence_.points);
                operation->args.activation = activation(d, 0);
                set_step(*operation, d, step, from_input, from_state, state);
                builder_.add(std::move(operation), sequence_.phase);
            }
        }
        store_state(0, d, state);
        if (cell_state) store_state(1, d, *cell_state);
    }

    void lstm_step(std::int64_t d, std::int64_t step, const Located& from_input, const Located& from_state,
                   const Located& state, const Located& cell_state) {
        auto operation =
            builder_.kernel_of<kernels::LstmCellArgs>("lstm_cell", builder_.kernels().lstm_cell, sequence_.points);
        operation->args.gate = activation(d, 0);
        operation->args.candidate = activation(d, 1);
        operation->args.output = activation(d, 2);
        operation->args.input_forget = node_.attributes.get_int("input_forget", 0) != 0;
        if (node_.has_input(7)) operation->read(operation->args.peephole, entries(7, d, 0, 3 * hidden_));
        operation->write(operation->args.cell_state, cell_state);
        set_step(*operation, d, step, from_input, from_state, state);
        builder_.add(std::move(operation), sequence_.phase);
    }

    void gru_step(std::int64_t d, std::int64_t step, const Located& from_input, const Located& from_state,
                  const Located& state, const Located& recurrent, const std::optional<Located>& state_bias) {
        const bool linear = node_.attributes.get_int("linear_before_reset", 0) != 0;
        const auto make = [&](const char* name, KernelOperation<kernels::GruCellArgs>::Launch launch) {
            auto operation = builder_.kernel_of<kernels::GruCellArgs>(name, launch, sequence_.points);
            operation->args.linear_before_reset = linear;
            operation->args.gate = activation(d, 0);
            operation->args.candidate = activation(d, 1);
            set_step(*operation, d, step, from_input, from_state, state);
            return operation;
        };
        if (!linear) {
            const Located reset = sequence_.temporary(type_, {batch_, hidden_});
            auto operation = make("gru_reset", builder_.kernels().gru_reset);
            operation->write(operation->args.reset_state, reset);
            builder_.add(std::move(operation), sequence_.phase);
            std::optional<Located> bias;
            if (state_bias) bias = sliced(*state_bias, 0, 2 * hidden_, hidden_);
            const Located candidate = product(reset, sliced(recurrent, 0, 2 * hidden_, hidden_), bias, batch_);
            sequence_.copy(candidate, sliced(from_state, 1, 2 * hidden_, hidden_));
        }
        builder_.add(make("gru_output", builder_.kernels().gru_output), sequence_.phase);
    }

    /// The last state as output `which` (0: h, 1: c) has it.
    void store_state(std::size_t which, std::int64_t d, const Located& state) {
        if (which >= states_.size() || !states_[which]) return;
        const Located target = picked(*states_[which], batch_first_ ? 1 : 0, d);
        if (state.type == target.type) {
            sequence_.copy(state, target);
            return;
        }
        const Located converted = sequence_.temporary(target.type, state.shape);
        sequence_.cast(state, converted);
        sequence_.copy(converted, target);
    }

    ProgramBuilder& builder_;
    const Node& node_;
    ValueId result_;
    Sequence sequence_;
    DType type_;
    bool batch_first_;
    std::int64_t steps_ = 0;
    std::int64_t batch_ = 0;
    std::int64_t features_ = 0;
    std::int64_t hidden_ = 0;
    std::int64_t gates_ = 0;
    std::int64_t directions_ = 1;
    Located input_;
    std::optional<Located> lengths_;
    std::optional<Located> all_;
    std::vector<std::optional<Located>> states_;
};

}  // namespace

bool lower_recurrent(ProgramBuilder& builder, const Node& node) {
    if (!node.domain.empty() || (node.op_type != "LSTM" && node.op_type != "GRU" && node.op_type != "RNN"))
        return false;
    RecurrentLowering(builder, node).lower();
    return true;
}

}  // namespace lossmap::cuda
