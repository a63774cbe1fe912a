#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/shape.hpp"
#include "graph/graph.hpp"

namespace dnnl {
struct engine;
struct stream;
}  // namespace dnnl

namespace lossmap::cpu {

/// How the elements of a value lie in memory: row-major, or with the channels (axis 1) innermost.
enum class Layout : std::uint8_t { plain, channels_last };

/// A layout, and for f32 values whether the elements lie rounded to bf16, in half the memory.
struct Form {
    Form(Layout elements, bool rounded = false) : layout(elements), bf16(rounded) {}  // NOLINT: a layout is a form

    Layout layout;
    bool bf16;
    friend bool operator==(const Form&, const Form&) = default;
};

/// Where a value lies.
struct Place {
    enum class Region : std::uint8_t {
        none,      ///< an omitted operand
        arena,     ///< activations of the thread; `offset` is the index of a block of the memory plan
        set,       ///< weights of the point; `offset` in bytes
        constant,  ///< `address`
    };
    Region region = Region::none;
    std::size_t offset = 0;
    const void* address = nullptr;
};

/// What an operation works on: the calling thread's memory and one point's weights.
struct Frame {
    std::size_t thread = 0;  ///< index of the thread, from 0
    std::byte* arena = nullptr;
    const std::vector<std::size_t>* blocks = nullptr;  ///< offset of each block in the arena
    const std::byte* set = nullptr;
    dnnl::stream* stream = nullptr;
    double* statistics = nullptr;  ///< training: where a batch's means and variances go, as the space's states
    bool exact = false;  ///< compute sums as the graph states them: no transforms that spread infinities and NaN

    [[nodiscard]] void* writable(const Place& place) const;
    [[nodiscard]] const void* readable(const Place& place) const;
};

/// One step of a tile's forward pass, shared by all threads.
class Operation {
public:
    Operation() = default;
    virtual ~Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    /// Makes what the thread of `frame` needs of its own (`frame.set` is not known yet). Called once a thread, in order
    /// of threads, before any run.
    virtual void attach(const Frame& frame) { static_cast<void>(frame); }
    virtual void run(const Frame& frame) const = 0;
    /// What computes it, for the recorded plan: "brgconv:avx512_core", "host Softmax".
    [[nodiscard]] virtual std::string implementation() const = 0;
};

}  // namespace lossmap::cpu
