#include "cuda/backend/device_communicator.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace lossmap::cuda {
namespace {

class DeviceCommunicator final : public Communicator {
public:
    DeviceCommunicator(std::shared_ptr<Device> device, std::unique_ptr<DeviceCollectives> collectives)
        : device_(std::move(device)), collectives_(std::move(collectives)), queue_(device_->make_queue()) {}

    [[nodiscard]] int rank() const override { return collectives_->rank(); }
    [[nodiscard]] int size() const override { return collectives_->size(); }

    void broadcast(std::span<std::byte> bytes, int root) override {
        if (root < 0 || root >= size()) throw InternalError("rank {} of {}", root, size());
        if (bytes.empty()) return;
        grow(0, bytes.size());
        if (rank() == root) upload(bytes);
        const Access access{own_.data(), bytes.size(), true};
        queue_->launch("broadcast", {&access, 1}, [this, count = bytes.size(), root](void* stream) {
            collectives_->broadcast(own_.data(), count, root, stream);
        });
        download(own_, bytes.size());
        std::memcpy(bytes.data(), pinned_.data(), bytes.size());
    }

    [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<const std::byte> own) override {
        const std::uint64_t count = own.size();
        const std::vector<std::byte> counts = gather_equal(std::as_bytes(std::span(&count, 1)), sizeof(count));
        std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size()));
        std::memcpy(sizes.data(), counts.data(), counts.size());
        // Ranks bring different numbers; what is sent is as long as the longest.
        const std::size_t longest = *std::max_element(sizes.begin(), sizes.end());
        const std::vector<std::byte> all = longest == 0 ? std::vector<std::byte>{} : gather_equal(own, longest);
        std::vector<std::vector<std::byte>> result;
        for (std::size_t k = 0; k < sizes.size(); ++k) {
            const auto first = all.begin() + static_cast<std::ptrdiff_t>(k * longest);
            result.emplace_back(first, first + static_cast<std::ptrdiff_t>(sizes[k]));
        }
        return result;
    }

private:
    /// `width` bytes of every rank; those behind `own` are zeros.
    std::vector<std::byte> gather_equal(std::span<const std::byte> own, std::size_t width) {
        const std::size_t all = width * static_cast<std::size_t>(size());
        grow(all, width);
        queue_->fill(own_.data(), 0, width);
        upload(own);
        const std::array<Access, 2> accesses{Access{own_.data(), width, false}, Access{gathered_.data(), all, true}};
        queue_->launch("gather", accesses, [this, width](void* stream) {
            collectives_->all_gather(own_.data(), gathered_.data(), width, stream);
        });
        download(gathered_, all);
        return {pinned_.data(), pinned_.data() + all};
    }

    void grow(std::size_t gathered, std::size_t own) {
        const auto need = [](Memory& memory, std::size_t bytes, const auto& allocate) {
            if (memory.size_bytes() >= bytes) return;
            memory = {};
            memory = allocate(bytes);
        };
        const auto on_device = [this](std::size_t bytes) { return device_->allocate(bytes); };
        need(own_, own, on_device);
        need(gathered_, gathered, on_device);
        need(pinned_, std::max(gathered, own), [this](std::size_t bytes) { return device_->allocate_pinned(bytes); });
    }

    void upload(std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        std::memcpy(pinned_.data(), bytes.data(), bytes.size());
        queue_->copy_to_device(own_.data(), pinned_.data(), bytes.size());
    }
    /// Waits: afterwards nothing is in the queue.
    void download(const Memory& source, std::size_t bytes) {
        queue_->copy_to_host(pinned_.data(), source.data(), bytes);
        queue_->synchronize();
    }

    std::shared_ptr<Device> device_;
    std::unique_ptr<DeviceCollectives> collectives_;
    Memory own_;
    Memory gathered_;
    Memory pinned_;
    std::unique_ptr<Queue> queue_;
};

}  // namespace

std::unique_ptr<Communicator> make_device_communicator(std::shared_ptr<Device> device,
                                                       std::unique_ptr<DeviceCollectives> collectives) {
    return std::make_unique<DeviceCommunicator>(std::move(device), std::move(collectives));
}

}  // namespace lossmap::cuda
