#include "dist/local_communicators.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "core/error.hpp"

namespace lossmap {
namespace {

class SingleCommunicator final : public Communicator {
public:
    [[nodiscard]] int rank() const override { return 0; }
    [[nodiscard]] int size() const override { return 1; }
    void broadcast(std::span<std::byte>, int root) override {
        if (root != 0) throw InternalError("rank {} of 1", root);
    }
    [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<const std::byte> own) override {
        return {{own.begin(), own.end()}};
    }
};

/// Where threads lay down their bytes. A round ends when all have taken what they need, and only then the next begins.
class MeetingPlace {
public:
    explicit MeetingPlace(std::size_t ranks) : bytes_(ranks) {}

    [[nodiscard]] std::size_t ranks() const { return bytes_.size(); }

    /// Brings bytes and returns everybody's.
    std::vector<std::vector<std::byte>> meet(std::size_t rank, std::vector<std::byte> own) {
        std::unique_lock lock(mutex_);
        wait(lock, [&] { return !leaving_; });
        bytes_[rank] = std::move(own);
        if (++arrived_ == bytes_.size()) leaving_ = true;
        changed_.notify_all();
        wait(lock, [&] { return leaving_; });
        std::vector<std::vector<std::byte>> result = bytes_;
        if (--arrived_ == 0) leaving_ = false;
        changed_.notify_all();
        return result;
    }

    void abandon() {
        const std::scoped_lock lock(mutex_);
        abandoned_ = true;
        changed_.notify_all();
    }

private:
    template <typename Condition>
    void wait(std::unique_lock<std::mutex>& lock, const Condition& condition) {
        changed_.wait(lock, [&] { return condition() || abandoned_; });
        if (!condition()) throw Error("another rank has ended while this one waited for it");
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::vector<std::byte>> bytes_;
    std::size_t arrived_ = 0;
    bool leaving_ = false;  ///< all are there
    bool abandoned_ = false;
};

class ThreadCommunicator final : public Communicator {
public:
    ThreadCommunicator(std::shared_ptr<MeetingPlace> place, std::size_t rank) : place_(std::move(place)), rank_(rank) {}
    ~ThreadCommunicator() override { place_->abandon(); }

    [[nodiscard]] int rank() const override { return static_cast<int>(rank_); }
    [[nodiscard]] int size() const override { return static_cast<int>(place_->ranks()); }
    void broadcast(std::span<std::byte> bytes, int root) override {
        if (root < 0 || root >= size()) throw InternalError("rank {} of {}", root, size());
        const auto all = gather(rank() == root ? bytes : std::span<std::byte>());
        const std::vector<std::byte>& given = all[static_cast<std::size_t>(root)];
        if (given.size() != bytes.size())
            throw InternalError("ranks broadcast {} and {} bytes", given.size(), bytes.size());
        std::copy(given.begin(), given.end(), bytes.begin());
    }
    [[nodiscard]] std::vector<std::vector<std::byte>> gather(std::span<const std::byte> own) override {
        return place_->meet(rank_, {own.begin(), own.end()});
    }

private:
    std::shared_ptr<MeetingPlace> place_;
    std::size_t rank_;
};

}  // namespace

std::unique_ptr<Communicator> make_single_communicator() { return std::make_unique<SingleCommunicator>(); }

std::vector<std::unique_ptr<Communicator>> make_thread_communicators(int ranks) {
    if (ranks < 1) throw InternalError("{} ranks", ranks);
    const auto place = std::make_shared<MeetingPlace>(static_cast<std::size_t>(ranks));
    std::vector<std::unique_ptr<Communicator>> communicators;
    for (int rank = 0; rank < ranks; ++rank)
        communicators.push_back(std::make_unique<ThreadCommunicator>(place, static_cast<std::size_t>(rank)));
    return communicators;
}

}  // namespace lossmap
