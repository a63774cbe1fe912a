#pragma once

#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cuda/backend/operation.hpp"
#include "kernels/operand.hpp"

namespace lossmap::cuda {

/// Launches one kernel. Its arguments are fixed but for addresses, which depend on the arena and are put in at every
/// launch.
template <typename Args>
class KernelOperation final : public Operation {
    static_assert(std::is_trivially_copyable_v<Args>);

public:
    using Launch = void (*)(const Args&, kernels::Queue);

    /// @param name  of the kernel; a literal
    KernelOperation(const char* name, Launch launch, std::int64_t points)
        : name_(name), launch_(launch), points_(points) {}

    /// The arguments; set everything but addresses before the operation is added.
    Args args{};

    void read(kernels::Input& slot, const Located& operand) {
        slot.type = operand.type;
        slot.point_stride = operand.point_stride;
        bind(slot.data, operand, false);
    }
    void write(kernels::Output& slot, const Located& operand) {
        slot.type = operand.type;
        slot.point_stride = operand.point_stride;
        bind(slot.data, operand, true);
    }
    /// `slot`, a pointer in `args`, gets the operand's address.
    template <typename Pointer>
    void bind(Pointer*& slot, const Located& operand, bool writes) {
        const auto offset = reinterpret_cast<const std::byte*>(&slot) - reinterpret_cast<const std::byte*>(&args);
        bindings_.push_back({static_cast<std::size_t>(offset), operand.place, operand.begin_bytes(),
                             operand.span_bytes(points_), writes});
    }

    void queue(const Frame& frame) const override {
        Args ready = args;
        std::vector<Access> accesses;
        accesses.reserve(bindings_.size());
        for (const Binding& binding : bindings_) {
            void* address = frame.address(binding.place, binding.begin_bytes);
            std::memcpy(reinterpret_cast<std::byte*>(&ready) + binding.slot, &address, sizeof(address));
            accesses.push_back({address, binding.bytes, binding.writes});
        }
        frame.queue->launch(name_, accesses,
                            [launch = launch_, ready](void* stream) { launch(ready, kernels::Queue{stream}); });
    }
    [[nodiscard]] std::vector<Place> places() const override {
        std::vector<Place> result;
        for (const Binding& binding : bindings_)
            result.push_back(binding.place);
        return result;
    }
    [[nodiscard]] std::string implementation() const override { return std::string("kernel ") + name_; }

private:
    struct Binding {
        std::size_t slot = 0;  ///< offset of the pointer in `args`
        Place place;
        std::size_t begin_bytes = 0;
        std::size_t bytes = 0;
        bool writes = false;
    };

    const char* name_;
    Launch launch_;
    std::int64_t points_;
    std::vector<Binding> bindings_;
};

}  // namespace lossmap::cuda
