#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "backend/backend.hpp"
#include "cpu/operation.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cpu {

/// Scale and shift of a batch normalisation, folded into the layer in front of it.
struct FoldedNorm {
    ValueId scale = kNoValue;
    ValueId shift = kNoValue;
    ValueId mean = kNoValue;
    ValueId variance = kNoValue;
    double epsilon = 1e-5;
};

/// Weights and bias of one layer as its primitive wants them.
struct PackedLayer {
    ValueId weights = kNoValue;
    FilterLayout outputs;  ///< where the output features lie in the weights as stored
    double weight_factor = 1.0;
    ValueId bias = kNoValue;  ///< of the layer itself; one number an output feature, or one for all
    double bias_factor = 1.0;
    ValueId added_bias = kNoValue;  ///< added behind the layer, in front of the norm
    std::optional<FoldedNorm> norm;

    [[nodiscard]] bool has_bias() const { return bias != kNoValue || added_bias != kNoValue || norm.has_value(); }
};

/// Scale and shift that a batch normalisation applies: scale = gamma / sqrt(variance + epsilon), shift = beta - mean *
/// scale, in fp64.
struct NormFactors {
    double scale = 1.0;
    double shift = 0.0;
};
[[nodiscard]] NormFactors norm_factors(double gamma, double beta, double mean, double variance, double epsilon);

/// Origin and axes, held once for all programs of an executable. Immutable.
struct ResidentState {
    struct Segment {
        std::vector<float> origin;
        std::vector<std::vector<float>> axes;  ///< one an axis; empty where it does not move the segment
    };
    Segment weights;
    Segment states;

    [[nodiscard]] std::size_t size_bytes() const;
};

[[nodiscard]] std::shared_ptr<const ResidentState> copy_state(const ExecutableRequest& request);

/// Computes everything that depends on theta alone, once a point: perturbed parameters from the pristine origin, what
/// the graph computes from them, batch norms folded, weights laid out for their primitives. Immutable once the program
/// is built; several threads may materialise different points at the same time.
class Materializer {
public:
    /// `graph`, `lowering` and `engine` must outlive the object, `space` need not.
    Materializer(const Graph& graph, const Lowering& lowering, const ParameterSpace& space,
                 std::shared_ptr<const ResidentState> state, const dnnl::engine& engine);
    ~Materializer();
    Materializer(const Materializer&) = delete;
    Materializer& operator=(const Materializer&) = delete;

    /// Keeps a value of class constant or theta for the operations; row-major.
    [[nodiscard]] Place keep(ValueId value);
    /// Weights of a layer, folded and converted. `plain` and `wanted` point to dnnl::memory::desc: of the weights as
    /// stored and as the primitive wants them.
    [[nodiscard]] Place pack_weights(const PackedLayer& layer, const void* plain, const void* wanted);
    /// Weights [out, in, 3, 3] of a layer, folded and transformed for winograd_convolution, or for
    /// winograd_convolution_bf16.
    [[nodiscard]] Place pack_winograd(const PackedLayer& layer, bool bf16);
    /// Its bias, folded; f32 [features].
    [[nodiscard]] Place pack_bias(const PackedLayer& layer);
    /// Fixes the layout of scratch memory; call once, when every value has been asked for.
    void finish();

    [[nodiscard]] const dnnl::engine& engine() const { return engine_; }
    [[nodiscard]] std::size_t set_bytes() const { return set_bytes_; }
    [[nodiscard]] std::size_t scratch_bytes() const { return scratch_bytes_; }

    /// Fills `set` (set_bytes) for a point. `scratch` has scratch_bytes and is overwritten.
    void materialize(const Point& point, std::byte* set, std::byte* scratch, dnnl::stream& stream) const;

private:
    struct Perturbed {
        ValueId value = kNoValue;
        const ResidentState::Segment* segment = nullptr;
        std::size_t offset = 0;
        std::size_t size = 0;
    };
    struct Location {
        enum class Kind : std::uint8_t { none, scratch, set, constant } kind = Kind::none;
        std::size_t offset = 0;
        const void* address = nullptr;
    };
    struct Pack;

    std::size_t reserve_set(std::size_t bytes);
    [[nodiscard]] std::size_t bytes_of(ValueId value) const;
    [[nodiscard]] Location& location(ValueId value) { return locations_[static_cast<std::size_t>(value)]; }
    [[nodiscard]] std::byte* writable(ValueId value, std::byte* set, std::byte* scratch) const;
    [[nodiscard]] const float* floats(ValueId value, const std::byte* set, const std::byte* scratch) const;
    [[nodiscard]] const void* readable(ValueId value, const std::byte* set, const std::byte* scratch) const;
    void perturb(const Perturbed& item, const Point& point, float* out) const;
    void compute_node(const Node& node, std::byte* set, std::byte* scratch) const;
    [[nodiscard]] std::vector<NormFactors> norm_factors_of(const Pack& pack, const std::byte* set,
                                                           const std::byte* scratch) const;
    void run_weights(const Pack& pack, std::byte* set, std::byte* scratch, dnnl::stream& stream) const;
    void run_bias(const Pack& pack, std::byte* set, const std::byte* scratch) const;
    void run_winograd(const Pack& pack, std::byte* set, const std::byte* scratch) const;

    const Graph& graph_;
    const Lowering& lowering_;
    const dnnl::engine& engine_;
    std::shared_ptr<const ResidentState> state_;
    std::vector<Perturbed> perturbed_;
    std::vector<Location> locations_;  ///< one a value
    std::vector<std::unique_ptr<Pack>> packs_;
    std::size_t set_bytes_ = 0;
    std::size_t scratch_bytes_ = 0;
    std::size_t fold_offset_ = 0;  ///< in scratch: room for the largest folded tensor
};

}  // namespace lossmap::cpu
