#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.hpp"
#include "backend/bound_request.hpp"
#include "backend/training_norms.hpp"
#include "cpu/materializer.hpp"
#include "cpu/operation.hpp"
#include "plan/fusion.hpp"

namespace lossmap::cpu {

/// A graph input: the field of the data set that feeds it and its row-major place.
struct InputBinding {
    std::size_t field = 0;
    Place place;
    DType dtype = DType::f32;  ///< of the graph input; integers are converted from i64
    std::int64_t sample_elements = 0;
};

/// A network made ready for tiles of one size; shared by all threads.
struct Program {
    Program();
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    std::unique_ptr<dnnl::engine> engine;  ///< streams must be of this very engine
    BoundRequest bound;
    Precision precision = Precision::fp32;  ///< of convolutions and dense layers
    Lowering lowering;
    std::unique_ptr<Materializer> materializer;
    std::vector<std::unique_ptr<Operation>> operations;
    std::vector<std::string> operation_names;
    std::vector<std::size_t> blocks;  ///< offset of each block in a thread's arena
    std::size_t arena_bytes = 0;
    std::vector<InputBinding> inputs;
    Place output;                                 ///< row-major
    std::vector<std::pair<ValueId, Place>> kept;  ///< of a traceable request: what each step computes, row-major
    std::vector<TrainingNorm> training_norms;     ///< empty: inference
    std::int64_t macs_per_sample = 0;
};

/// Builds the program. Call it in a thread whose OpenMP regions have one thread: primitives remember their number.
/// @param bound  of the same request. @param state  its origin and axes. @param precision  fp32, or bf16 where
/// bf16_available. @throws InputError, UnsupportedError.
[[nodiscard]] std::unique_ptr<Program> build_program(const ExecutableRequest& request, BoundRequest bound,
                                                     std::shared_ptr<const ResidentState> state, Precision precision);
/// The same in training mode: a tile is a batch, whose statistics batch norms use and write to Frame::statistics.
/// Always in fp32: every sample of a point is normalised with what it estimates.
/// @param bound  from bind_batch.
[[nodiscard]] std::unique_ptr<Program> build_training_program(const ExecutableRequest& request, BoundRequest bound,
                                                              std::shared_ptr<const ResidentState> state);

/// Bytes of activations alive at the same time, a sample, were every step to write memory of its own.
[[nodiscard]] std::int64_t activation_bytes_per_sample(const BoundRequest& bound, const PassSet& passes,
                                                       Precision precision);

}  // namespace lossmap::cpu
