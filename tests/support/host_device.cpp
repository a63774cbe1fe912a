#include "tests/support/host_device.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <utility>

#include "core/error.hpp"
#include "tests/support/host_device_state.hpp"
#include "tests/support/host_plans.hpp"
#include "tests/support/spoiled_kernels.hpp"

namespace lossmap::test {
namespace {

constexpr std::uint8_t kPoison = 0xFF;  // NaN in every floating-point type

struct Task {
    const char* name = "";
    std::vector<cuda::Access> accesses;
    std::function<void()> run;
};

class HostQueue;

class HostMark final : public cuda::Mark {
public:
    HostMark(HostQueue& queue, std::int64_t position, Clock clock)
        : queue_(queue), position_(position), clock_(std::move(clock)) {}
    void synchronize() override;
    void run() const;
    [[nodiscard]] const Clock& clock() const { return clock_; }
    [[nodiscard]] double seconds_since(const cuda::Mark& earlier) const override {
        return *passed_at - *static_cast<const HostMark&>(earlier).passed_at;
    }
    /// Seconds on the device's clock when the queue passed it; NaN before.
    std::shared_ptr<double> passed_at = std::make_shared<double>(std::nan(""));

private:
    HostQueue& queue_;
    std::int64_t position_;
    Clock clock_;
};

class HostRecording final : public cuda::Recording {
public:
    HostRecording(const HostQueue* queue_in, std::vector<Task> tasks_in)
        : queue(queue_in), tasks(std::move(tasks_in)) {}
    const HostQueue* queue;
    std::vector<Task> tasks;
};

class HostQueue final : public cuda::Queue {
public:
    explicit HostQueue(std::shared_ptr<HostDeviceState> state) : state_(std::move(state)), index_(state_->queues++) {
        clock_.resize(index_ + 1, 0);
    }
    ~HostQueue() override {
        // A real queue finishes its work when it is destroyed.
        try {
            run_until(queued_);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "unfinished work of a queue: %s\n", error.what());
            std::abort();
        }
    }

    void launch(const char* name, std::span<const cuda::Access> accesses, std::function<void(void*)> launch) override {
        push({name, {accesses.begin(), accesses.end()}, [launch = std::move(launch)] { launch(nullptr); }});
    }
    void copy_to_device(void* target, const void* source, std::size_t bytes) override {
        state_->counts.bytes_to_device += static_cast<std::int64_t>(bytes);
        push({"copy to device", {{target, bytes, true}}, [=] { std::memcpy(target, source, bytes); }});
    }
    void copy_to_host(void* target, const void* source, std::size_t bytes) override {
        state_->counts.bytes_to_host += static_cast<std::int64_t>(bytes);
        push({"copy to host", {{source, bytes, false}}, [=] { std::memcpy(target, source, bytes); }});
    }
    void copy(void* target, const void* source, std::size_t bytes) override {
        push({"copy", {{source, bytes, false}, {target, bytes, true}}, [=] { std::memcpy(target, source, bytes); }});
    }
    void fill(void* target, std::uint8_t value, std::size_t bytes) override {
        push({"fill", {{target, bytes, true}}, [=] { std::memset(target, value, bytes); }});
    }

    [[nodiscard]] std::shared_ptr<cuda::Mark> mark() override {
        refuse_while_recording("mark");
        return std::make_shared<HostMark>(*this, queued_, clock_);
    }
    [[nodiscard]] std::shared_ptr<cuda::Mark> timed_mark() override {
        refuse_while_recording("timed mark");
        state_->counts.timed_marks += 1;
        const auto passed_at = std::make_shared<double>(std::nan(""));
        enqueue({"timed mark", {}, [state = state_.get(), passed_at] { *passed_at = state->seconds; }});
        auto mark = std::make_shared<HostMark>(*this, queued_, clock_);
        mark->passed_at = passed_at;
        return mark;
    }
    void wait(const std::shared_ptr<cuda::Mark>& mark) override {
        refuse_while_recording("wait");
        auto other = std::static_pointer_cast<HostMark>(mark);
        merge(clock_, other->clock());
        enqueue({"wait", {}, [other] { other->run(); }});
    }
    void synchronize() override {
        refuse_while_recording("synchronize");
        run_until(queued_);
        merge(state_->host, clock_);
    }

    [[nodiscard]] std::unique_ptr<cuda::Recording> record(const std::function<void()>& work) override {
        refuse_while_recording("record");
        if (!state_->options.records) throw cuda::CannotRecord("the emulated device has no room");
        std::vector<Task> tasks;
        recording_ = &tasks;
        state_->recording = std::this_thread::get_id();
        const auto end = [this] {
            recording_ = nullptr;
            state_->recording = std::thread::id();
        };
        try {
            work();
        } catch (...) {
            end();
            throw;
        }
        end();
        state_->counts.recordings += 1;
        return std::make_unique<HostRecording>(this, std::move(tasks));
    }
    void replay(const cuda::Recording& recording) override {
        refuse_while_recording("replay");
        const auto& own = static_cast<const HostRecording&>(recording);
        if (own.queue != this) throw InternalError("a recording of another queue");
        for (const Task& task : own.tasks)
            push(task);
        state_->counts.replays += 1;
    }

    /// Runs what was queued up to a position.
    void run_until(std::int64_t position) {
        while (done_ < position) {
            Task task = std::move(tasks_.front());
            tasks_.pop_front();
            ++done_;
            task.run();
        }
    }

private:
    void refuse_while_recording(const char* what) const {
        if (recording_ != nullptr) throw InternalError("{} while recording", what);
    }
    void push(Task task) {
        if (recording_ != nullptr) {
            recording_->push_back(std::move(task));
            return;
        }
        merge(clock_, state_->host);
        clock_[index_] += 1;
        state_->ledger.check(task.name, index_, clock_, task.accesses);
        state_->counts.launches += 1;
        state_->counts.by_name[task.name] += 1;
        enqueue(std::move(task));
    }
    void enqueue(Task task) {
        tasks_.push_back(std::move(task));
        ++queued_;
        if (state_->options.pace == Pace::eager) run_until(queued_);
    }

    std::shared_ptr<HostDeviceState> state_;
    std::size_t index_;
    Clock clock_;
    std::deque<Task> tasks_;
    std::int64_t queued_ = 0;
    std::int64_t done_ = 0;
    std::vector<Task>* recording_ = nullptr;
    friend class HostMark;
};

void HostMark::run() const { queue_.run_until(position_); }

void HostMark::synchronize() {
    run();
    merge(queue_.state_->host, clock_);
}

/// A thread that records may not ask for memory: a device would have to wait for it.
void require_no_recording(const HostDeviceState& state) {
    if (state.recording.load() == std::this_thread::get_id())
        throw InternalError("memory is asked for while recording");
}

}  // namespace

HostDevice::HostDevice(const HostDeviceOptions& options)
    : options_(options), state_(std::make_shared<HostDeviceState>(options)) {
    if (!options.spoiled_stage.empty()) spoiled_kernels_ = kernels_with_a_fault(options.spoiled_stage);
    facts_.id = "cuda:0";
    facts_.description = "emulated device";
    facts_.memory_bytes = options.memory_bytes;
    facts_.free_bytes = options.memory_bytes;
    facts_.pass_bytes = options.pass_bytes;
    facts_.most_points = options.most_points;
    facts_.most_products = options.most_products;
    facts_.tiles_convolutions = options.tiles_convolutions;
    facts_.shared_bytes = options.shared_bytes;
    facts_.architecture = options.architecture;
    facts_.library_versions = {"host loops 1"};
    facts_.driver = options.driver;
}

HostDevice::~HostDevice() = default;

const kernels::KernelTable& HostDevice::kernels() const {
    if (spoiled_kernels_) return *spoiled_kernels_;
    return options_.reversed ? kernels::reversed_host_kernels() : kernels::host_kernels();
}

cuda::Memory HostDevice::allocate(std::size_t bytes) {
    require_no_recording(*state_);
    const auto wanted = static_cast<std::int64_t>(bytes);
    if (wanted > options_.most_bytes_at_once || state_->ledger.bytes() + wanted > options_.memory_bytes) {
        throw cuda::OutOfDeviceMemory("{} bytes of an emulated device of {}", bytes, options_.memory_bytes);
    }
    if (bytes == 0) return {};
    void* data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    std::memset(data, kPoison, bytes);
    state_->ledger.add(data, bytes);
    return {data, bytes, [state = state_, bytes](void* address) {
                std::memset(address, kPoison, bytes);
                state->ledger.remove(address);
                std::free(address);
            }};
}

cuda::Memory HostDevice::allocate_pinned(std::size_t bytes) {
    require_no_recording(*state_);
    if (bytes == 0) return {};
    void* data = std::malloc(bytes);
    std::memset(data, kPoison, bytes);
    return {data, bytes, [](void* address) { std::free(address); }};
}

std::unique_ptr<cuda::Queue> HostDevice::make_queue() { return std::make_unique<HostQueue>(state_); }

const HostWay& HostDevice::way_of(const cuda::LibraryWay& way, std::span<const std::byte> serialized) {
    for (const HostWay& own : options_.ways) {
        if (own.name != way.name) continue;
        const auto name = std::as_bytes(std::span(own.name));
        const bool fits =
            serialized.empty() || std::equal(serialized.begin(), serialized.end(), name.begin(), name.end());
        if (!own.builds || !fits) throw Error("way '{}' cannot be built", way.name);
        (serialized.empty() ? state_->counts.builds : state_->counts.rebuilds) += 1;
        return own;
    }
    throw Error("there is no way '{}'", way.name);
}

std::vector<cuda::LibraryWay> HostDevice::gemm_ways(const cuda::GemmProblem& problem) {
    if (problem.batch > options_.most_products)
        throw Error("{} matrices, of at most {}", problem.batch, options_.most_products);
    std::vector<cuda::LibraryWay> result;
    for (const HostWay& way : options_.ways) {
        const bool joins = options_.joins_work && way.joins;
        result.push_back({way.name, way.family, {joins && problem.bias, false, joins && problem.relu}, way.proven});
    }
    return result;
}

std::unique_ptr<cuda::GemmPlan> HostDevice::build_gemm(const cuda::GemmProblem& problem, const cuda::LibraryWay& way,
                                                       std::span<const std::byte> serialized) {
    const HostWay& own = way_of(way, serialized);
    return std::make_unique<HostGemmPlan>(problem, options_.joins_work && own.joins, HostWayRun(state_, own));
}

std::vector<cuda::LibraryWay> HostDevice::convolution_ways(const cuda::ConvolutionProblem& problem,
                                                           std::string& why_none) {
    std::vector<cuda::LibraryWay> result;
    if (!options_.has_convolutions) why_none = "the emulated device has no engine";
    for (const HostWay& way : options_.ways) {
        if (!options_.has_convolutions) break;
        const bool joins = options_.joins_work && way.joins;
        result.push_back({way.name,
                          way.family,
                          {joins && problem.bias, joins && problem.residual, joins && problem.relu},
                          way.proven});
    }
    return result;
}

std::unique_ptr<cuda::ConvolutionPlan> HostDevice::build_convolution(const cuda::ConvolutionProblem& problem,
                                                                     const cuda::LibraryWay& way,
                                                                     std::span<const std::byte> serialized) {
    const HostWay& own = way_of(way, serialized);
    return std::make_unique<HostConvolutionPlan>(problem, options_.joins_work && own.joins,
                                                 options_.spoils && options_.spoils(problem), HostWayRun(state_, own));
}

std::unique_ptr<cuda::EigenPlan> HostDevice::plan_eigen(std::int64_t order) {
    return std::make_unique<HostEigenPlan>(order, options_.eigen_status);
}

const HostDeviceCounts& HostDevice::counts() const { return state_->counts; }

std::int64_t HostDevice::bytes_in_use() const { return state_->ledger.bytes(); }

}  // namespace lossmap::test
