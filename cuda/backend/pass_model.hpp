#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lossmap::cuda {

/// A kernel of a recorded pass: 0.8 us as a node of a graph, measured, and about half a round of blocks in which it
/// starts or ends, which was not.
inline constexpr double kLaunchSeconds = 0.8e-6 + 1.5e-6;
/// Of an H100's memory, copied, and of its second-level cache, read; measured (docs/gpu.md).
inline constexpr double kMemoryBytesASecond = 2.83e12;
inline constexpr double kCacheBytesASecond = 7.8e12;
/// What a launch of a library's convolution in a recorded pass takes beside its arithmetic: it starts and ends with
/// about half a round of blocks.
inline constexpr double kConvolutionSeconds = 8e-6;

/// What the two kinds of way of a convolution take: a library's, launched once a point, and a kernel of blocks that
/// covers all points.
struct ConvolutionTimes {
    double library = 0.0;              ///< seconds a sample of a device that is full
    double round = 0.0;                ///< seconds in which the device computes as many blocks as it holds
    std::int64_t resident_blocks = 1;  ///< that many
    std::int64_t group_samples = 1;    ///< that share blocks
    std::int64_t group_blocks = 1;     ///< of a point, for so many samples
    std::int64_t spared_bytes = 0;     ///< of traffic, a sample, that the blocks save others
    std::int64_t spared_launches = 0;  ///< of others, the same

    /// Seconds a sample of a device that is full.
    [[nodiscard]] double tiles() const {
        return round * static_cast<double>(group_blocks) / static_cast<double>(group_samples * resident_blocks);
    }
};

/// What a launch of blocks with some rows each takes that covers all points.
struct BlockTimes {
    double round = 0.0;  ///< seconds in which the device computes as many blocks as it holds
    double alone = 0.0;  ///< the same where each multiprocessor has one, or none
    std::int64_t resident_blocks = 1;
    std::int64_t group_rows = 1;   ///< of a block
    std::int64_t sample_rows = 1;  ///< of a sample

    /// Seconds a row of a device that is full.
    [[nodiscard]] double full() const { return round / static_cast<double>(group_rows * resident_blocks); }

    friend bool operator==(const BlockTimes&, const BlockTimes&) = default;
};

/// What a pass of a network costs, as its estimate tells.
struct PassCosts {
    std::int64_t constant_bytes = 0;
    std::int64_t weight_bytes = 0;               ///< of a point, all sets
    std::int64_t evaluation_bytes = 0;           ///< of memory that a (point, sample) takes
    std::int64_t traffic_bytes = 0;              ///< that all operations together read and write of them
    std::int64_t widest_bytes = 0;               ///< the same of one operation: what a cache would have to hold
    std::int64_t launches = 0;                   ///< of small kernels that cover all points
    std::int64_t point_launches = 0;             ///< of convolutions, once a point
    std::vector<ConvolutionTimes> either_way{};  ///< of convolutions that are launched once a point, or once
    std::vector<BlockTimes> blocks{};            ///< of launches of blocks, beside kLaunchSeconds
    double stage_seconds = 0.0;  ///< of launches of whole stages: while their blocks, which run long, start and end
    std::int64_t macs = 0;       ///< multiply-adds of a (point, sample)
    double macs_a_second = 1e14;
};

/// What a pass may be.
struct PassLimits {
    std::int64_t memory_bytes = 0;  ///< of everything
    std::int64_t beside_bytes = 0;  ///< .. that other programs take for each sample of a pass
    std::int64_t pass_bytes = 0;    ///< of evaluations
    std::int64_t cache_bytes = 0;   ///< of the device; 0: not known
    std::int64_t most_points = 1;
    std::int64_t most_samples = 1;
    std::int64_t total_points = 0;   ///< of the grid; 0: not known
    std::int64_t chunk_samples = 0;  ///< that come together; 0: not known
    std::int64_t fixed_points = 0;   ///< 0: to be chosen
    std::int64_t fixed_samples = 0;
};

struct PassSize {
    std::int64_t points = 1;
    std::int64_t samples = 1;

    friend bool operator==(const PassSize&, const PassSize&) = default;
};

/// A size and what an evaluation took with it.
struct TriedSize {
    PassSize size;
    double seconds = 0.0;

    friend bool operator==(const TriedSize&, const TriedSize&) = default;
};

/// Seconds that an evaluation which counts takes on a large GPU: launches and the time in which a kernel does not fill
/// the device, spread over the pass; memory, at the cache's rate where an operation's arrays fit it; both over the
/// share of the pass that is no filling up. Arithmetic is left out where it is the same for every size. Rates are those
/// of an H100, to be replaced by what is measured.
[[nodiscard]] double estimated_seconds(const PassCosts& costs, const PassLimits& limits, const PassSize& size);

/// Seconds that a pass takes, arithmetic included: for what measuring costs, and what it is worth. Rough.
[[nodiscard]] double estimated_pass_seconds(const PassCosts& costs, const PassLimits& limits, const PassSize& size);

/// Share of a pass that is neither points beyond the grid nor samples beyond the chunk.
[[nodiscard]] double useful_share(const PassLimits& limits, const PassSize& size);

/// Whether a size stays within the limits; one point and the fewest samples always do.
[[nodiscard]] bool fits(const PassCosts& costs, const PassLimits& limits, const PassSize& size);

/// Sizes that fit, the best one first: by estimate, and of those that are about as good the smallest one first, as what
/// overflows is evaluated again by the pass. Never empty: one point and the fewest samples are always there.
[[nodiscard]] std::vector<PassSize> ranked_sizes(const PassCosts& costs, const PassLimits& limits);

/// Sizes worth measuring: the favourite first, then in turn the best of those that differ from all before by a factor
/// of two, and the one that differs most, as the model may err by the factors that it rests on. At most `most`.
[[nodiscard]] std::vector<PassSize> sizes_to_measure(const PassCosts& costs, const PassLimits& limits,
                                                     std::size_t most);

/// The best size by what was measured of the same network in jobs with other numbers of points and samples: of each
/// size the model's estimate, and by how much the model is off at the measured one nearest to it. A size that was
/// measured stays unless another one is 5 % better, as libraries' ways are known for it. Nothing where the model's
/// favourite is unlike all that were measured: by more than a factor of four in points or samples.
/// @param rates  seconds of an evaluation, whether it counts or fills up
[[nodiscard]] std::optional<PassSize> size_by_rates(const PassCosts& costs, const PassLimits& limits,
                                                    std::span<const TriedSize> rates);

}  // namespace lossmap::cuda
