#include <algorithm>
#include <cmath>
#include <memory>

#include "cpu/elementwise.hpp"
#include "cpu/lowerings.hpp"

namespace lossmap::cpu {
namespace {

/// Batch normalisation with the statistics of the tile, which is a batch: it normalises with the biased variance and
/// hands on the unbiased one, as PyTorch does in training. Both are sums over rows in fp64, the variance in a second
/// pass: the difference of two large squares would lose it.
class TrainingNormOperation final : public Operation {
public:
    struct Places {
        Place scale;
        Place shift;
        Place source;
        Place target;
        Place moments;  ///< f64 [2, channels]
        Place factors;  ///< f32 [2, channels]
    };

    TrainingNormOperation(const TrainingNorm& norm, const Places& places, double epsilon, std::size_t rows)
        : norm_(norm), places_(places), epsilon_(epsilon), rows_(rows) {}

    void run(const Frame& frame) const override {
        const std::size_t channels = norm_.channels;
        const auto* source = static_cast<const float*>(frame.readable(places_.source));
        auto* mean = static_cast<double*>(frame.writable(places_.moments));
        double* variance = mean + channels;
        const auto rows = static_cast<double>(rows_);
        std::fill_n(mean, 2 * channels, 0.0);
        add_rows(mean, source, rows_, channels);
        for (std::size_t c = 0; c < channels; ++c)
            mean[c] /= rows;
        add_squares(variance, source, mean, rows_, channels);
        const auto* gamma = static_cast<const float*>(frame.readable(places_.scale));
        const auto* beta = static_cast<const float*>(frame.readable(places_.shift));
        auto* scale = static_cast<float*>(frame.writable(places_.factors));
        float* shift = scale + channels;
        for (std::size_t c = 0; c < channels; ++c) {
            frame.statistics[norm_.mean_offset + c] = mean[c];
            frame.statistics[norm_.variance_offset + c] = variance[c] / (rows - 1.0);
            const NormFactors factors = norm_factors(static_cast<double>(gamma[c]), static_cast<double>(beta[c]),
                                                     mean[c], variance[c] / rows, epsilon_);
            scale[c] = static_cast<float>(factors.scale);
            shift[c] = static_cast<float>(factors.shift);
        }
        scale_shift(static_cast<float*>(frame.writable(places_.target)), source, scale, shift, rows_, channels);
    }
    [[nodiscard]] std::string implementation() const override { return "loop batch norm, training"; }

private:
    TrainingNorm norm_;
    Places places_;
    double epsilon_;
    std::size_t rows_;
};

}  // namespace

bool lower_training_norm(ProgramBuilder& builder, const Node& node) {
    const auto norms = builder.options().training_norms;
    const auto norm = std::find_if(norms.begin(), norms.end(),
                                   [&](const TrainingNorm& entry) { return &builder.node(entry.node) == &node; });
    if (norm == norms.end()) return false;
    const ValueId from = node.inputs[0];
    const ValueId to = node.outputs[0];
    TrainingNormOperation::Places places;
    places.scale = builder.read(node.inputs[1], Layout::plain);
    places.shift = builder.read(node.inputs[2], Layout::plain);
    places.source = builder.read(from, Layout::channels_last);
    places.target = builder.overwrite(from, to, Layout::channels_last, {});
    if (places.target.region == Place::Region::none) places.target = builder.write(to, Layout::channels_last);
    places.moments = builder.scratch(2 * norm->channels * sizeof(double));
    places.factors = builder.scratch(2 * norm->channels * sizeof(float));
    const std::size_t rows = static_cast<std::size_t>(element_count(builder.shape(from))) / norm->channels;
    builder.add(
        std::make_unique<TrainingNormOperation>(*norm, places, node.attributes.get_float("epsilon", 1e-5), rows),
        node.name);
    return true;
}

}  // namespace lossmap::cpu
