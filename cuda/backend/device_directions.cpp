#include "cuda/backend/device_directions.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/philox.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {
namespace {

/// Bytes that come back to the host at once.
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

class DeviceDirectionMaker final : public DirectionMaker {
public:
    DeviceDirectionMaker(std::shared_ptr<Device> device, const ParameterSpace& space, std::span<const float> origin)
        : device_(std::move(device)), space_(space), queue_(device_->make_queue()) {
        origin_ = device_->allocate(origin.size_bytes());
        StagedUpload staging(*device_, *queue_);
        staging.copy(origin_.data(), std::as_bytes(origin));
        queue_->synchronize();
    }

    [[nodiscard]] MadeWeights gaussian(std::uint64_t seed, int axis, std::span<const TensorRule> rules) override {
        Memory direction = device_->allocate(origin_.size_bytes());
        for (const Parameter& parameter : space_.weights)
            queue_fill(parameter, seed, axis, direction);
        for (const TensorRule& tensor : rules)
            queue_rule(tensor, direction);
        MadeWeights made{download(direction), nullptr};
        made.resident = std::make_shared<DeviceWeights>(device_, std::move(direction));
        return made;
    }

private:
    void queue_fill(const Parameter& parameter, std::uint64_t seed, int axis, const Memory& direction) {
        kernels::GaussianFillArgs args;
        args.out = direction.as<float>() + parameter.offset;
        args.count = parameter.size;
        args.seed = seed;
        args.axis = static_cast<std::uint32_t>(axis);
        args.parameter_hash = name_hash(parameter.name);
        const Access written{args.out, static_cast<std::size_t>(args.count) * sizeof(float), true};
        queue_->launch("gaussian_fill", {&written, 1}, [&kernels = device_->kernels(), args](void* stream) {
            kernels.gaussian_fill(args, kernels::Queue{stream});
        });
    }

    void queue_rule(const TensorRule& tensor, const Memory& direction) {
        if (tensor.rule == DirectionRule::keep || tensor.size() == 0) return;
        kernels::NormalizeDirectionArgs args;
        args.direction = direction.as<float>() + tensor.offset;
        args.weights = origin_.as<float>() + tensor.offset;
        args.outer = tensor.outer;
        args.count = tensor.count;
        args.inner = tensor.inner;
        args.rule = tensor.rule;
        const std::size_t bytes = static_cast<std::size_t>(tensor.size()) * sizeof(float);
        const std::array<Access, 2> accesses{Access{args.direction, bytes, true}, Access{args.weights, bytes, false}};
        queue_->launch("normalize_direction", accesses, [&kernels = device_->kernels(), args](void* stream) {
            kernels.normalize_direction(args, kernels::Queue{stream});
        });
    }

    [[nodiscard]] std::vector<float> download(const Memory& direction) {
        std::vector<float> values(direction.size_bytes() / sizeof(float));
        const Memory piece = device_->allocate_pinned(std::min(kPieceBytes, direction.size_bytes()));
        for (std::size_t first = 0; first < direction.size_bytes(); first += kPieceBytes) {
            const std::size_t bytes = std::min(kPieceBytes, direction.size_bytes() - first);
            queue_->copy_to_host(piece.data(), direction.data() + first, bytes);
            queue_->synchronize();
            std::memcpy(reinterpret_cast<std::byte*>(values.data()) + first, piece.data(), bytes);
        }
        return values;
    }

    std::shared_ptr<Device> device_;
    const ParameterSpace& space_;
    Memory origin_;
    std::unique_ptr<Queue> queue_;
};

}  // namespace

std::unique_ptr<DirectionMaker> make_device_direction_maker(std::shared_ptr<Device> device, const ParameterSpace& space,
                                                            std::span<const float> origin) {
    return std::make_unique<DeviceDirectionMaker>(std::move(device), space, origin);
}

}  // namespace lossmap::cuda
