#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda/backend/convolution.hpp"
#include "cuda/backend/gemm.hpp"
#include "cuda/backend/operation.hpp"

namespace lossmap::cuda {

/// Runs a plan of the device's library, once or once a point. `Operands` holds the addresses that the plan is run with.
template <typename Plan, typename Operands>
class LibraryOperation final : public Operation {
public:
    /// @param name  for messages; a literal
    /// @param launches  runs of the plan, for as many points each; 1 where it covers all of them
    LibraryOperation(const char* name, std::shared_ptr<Plan> plan, std::int64_t points, std::int64_t launches)
        : name_(name), plan_(std::move(plan)), points_(points), launches_(launches) {}

    template <typename Element>
    void read(const Element* Operands::*slot, const Located& array) {
        slots_.push_back({array, false, [slot](Operands& operands, std::byte* address) {
                              operands.*slot = reinterpret_cast<const Element*>(address);
                          }});
    }
    void write(void* Operands::*slot, const Located& array) {
        slots_.push_back({array, true, [slot](Operands& operands, std::byte* address) { operands.*slot = address; }});
    }

    void queue(const Frame& frame) const override {
        std::vector<Access> accesses;
        std::vector<std::byte*> addresses;
        for (const Slot& slot : slots_) {
            addresses.push_back(frame.address(slot.array));
            accesses.push_back({addresses.back(), slot.array.span_bytes(points_), slot.writes});
        }
        frame.queue->launch(
            name_, accesses,
            [plan = plan_, slots = slots_, addresses, points = points_, launches = launches_](void* stream) {
                for (std::int64_t point = 0; point < points; point += points / launches) {
                    Operands operands;
                    if constexpr (requires { operands.points; }) operands.points = points / launches;
                    for (std::size_t k = 0; k < slots.size(); ++k)
                        slots[k].set(operands, addresses[k] + point * slots[k].point_bytes());
                    plan->run(operands, stream);
                }
            });
    }
    [[nodiscard]] std::vector<Place> places() const override {
        std::vector<Place> result;
        for (const Slot& slot : slots_)
            result.push_back(slot.array.place);
        return result;
    }
    [[nodiscard]] std::string implementation() const override { return plan_->implementation(); }

private:
    struct Slot {
        Located array;
        bool writes = false;
        std::function<void(Operands&, std::byte*)> set;

        [[nodiscard]] std::ptrdiff_t point_bytes() const {
            return array.point_stride * static_cast<std::ptrdiff_t>(size_of(array.type));
        }
    };

    const char* name_;
    std::shared_ptr<Plan> plan_;
    std::int64_t points_;
    std::int64_t launches_;
    std::vector<Slot> slots_;
};

/// A product: once where its batch may cover all points.
using GemmOperation = LibraryOperation<GemmPlan, GemmOperands>;
/// A convolution: its weights differ from point to point, so it runs once a point where its plan does not cover them.
using ConvolutionOperation = LibraryOperation<ConvolutionPlan, ConvolutionOperands>;

}  // namespace lossmap::cuda
