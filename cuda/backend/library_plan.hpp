#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lossmap::cuda {

/// What a plan computes beside the product itself.
struct JoinedWork {
    bool bias = false;
    bool residual = false;
    bool activation = false;

    friend bool operator==(const JoinedWork&, const JoinedWork&) = default;
};

/// A way that a library has to solve a problem. Within one version of a library and one kind of device, a problem and a
/// name say which kernel runs, and so which bits come out.
struct LibraryWay {
    std::string name;    ///< "eng7_k24=29+bias": what is recorded
    std::string family;  ///< "eng7": ways of one family are variants of one kernel
    JoinedWork joined;
    bool proven = false;  ///< known to let NaN through and to repeat its bits: may be used without having been tried
};

/// A way made ready to run; the same operands give the same bits.
class LibraryPlan {
public:
    virtual ~LibraryPlan() = default;
    LibraryPlan() = default;
    LibraryPlan(const LibraryPlan&) = delete;
    LibraryPlan& operator=(const LibraryPlan&) = delete;

    [[nodiscard]] virtual JoinedWork joined() const = 0;
    [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
    /// For the recorded plan: "cudnn eng7_k24=29+bias".
    [[nodiscard]] virtual std::string implementation() const = 0;
    /// What the same device and library make the plan from again without compiling anything.
    [[nodiscard]] virtual std::vector<std::byte> serialized() const = 0;
};

}  // namespace lossmap::cuda
