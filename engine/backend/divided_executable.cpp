#include "backend/divided_executable.hpp"

#include <exception>
#include <thread>
#include <utility>

#include "backend/point_parts.hpp"
#include "core/error.hpp"

namespace lossmap {
namespace {

class DividedExecutable final : public Executable {
public:
    explicit DividedExecutable(std::vector<std::unique_ptr<Executable>> executables)
        : executables_(std::move(executables)) {
        if (executables_.empty()) throw InternalError("a network on no device");
        for (std::size_t k = 1; k < executables_.size(); ++k) {
            if (executables_[k]->plan_json() == executables_[0]->plan_json()) continue;
            throw UnsupportedError(
                "the devices would compute the network in different ways, so that results would depend on which one a "
                "point falls to; use devices of one kind");
        }
    }

    void evaluate(std::span<const Point> points, const SampleChunk& chunk, std::span<LossSums> sums) override {
        if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
        divide(points.size(), [&](Executable& executable, std::size_t first, std::size_t count) {
            executable.evaluate(points.subspan(first, count), chunk, sums.subspan(first, count));
        });
    }
    void estimate_statistics(std::span<const Point> points, const SampleChunk& chunk, std::int64_t batch_samples,
                             std::span<StatisticSums> sums) override {
        if (sums.size() != points.size()) throw InternalError("{} sums for {} points", sums.size(), points.size());
        divide(points.size(), [&](Executable& executable, std::size_t first, std::size_t count) {
            executable.estimate_statistics(points.subspan(first, count), chunk, batch_samples,
                                           sums.subspan(first, count));
        });
    }
    [[nodiscard]] Tensor forward(const Point& point, const SampleChunk& chunk) override {
        return executables_.front()->forward(point, chunk);
    }
    [[nodiscard]] std::string plan_json() const override { return executables_.front()->plan_json(); }
    [[nodiscard]] std::int64_t macs_per_sample() const override { return executables_.front()->macs_per_sample(); }
    [[nodiscard]] std::int64_t points_per_pass() const override {
        return executables_.front()->points_per_pass() * static_cast<std::int64_t>(executables_.size());
    }
    [[nodiscard]] std::vector<NamedTensor> trace(const Point& point, const SampleChunk& chunk) override {
        return executables_.front()->trace(point, chunk);
    }
    [[nodiscard]] std::optional<PassTimes> measure_operations(const SampleChunk& chunk) override {
        return executables_.front()->measure_operations(chunk);
    }
    [[nodiscard]] bool is_exact() const override { return executables_.front()->is_exact(); }
    [[nodiscard]] std::vector<double> precision_error(std::span<const Point> points,
                                                      const SampleChunk& chunk) override {
        return executables_.front()->precision_error(points, chunk);
    }
    [[nodiscard]] std::int64_t memory_bytes() const override {
        std::int64_t bytes = 0;
        for (const auto& executable : executables_)
            bytes += executable->memory_bytes();
        return bytes;
    }

private:
    /// Calls run(executable, first, count) for neighbouring parts of the points, in whole passes as far as possible, on
    /// as many threads. Throws what the first part that failed threw, when all have ended.
    template <typename Run>
    void divide(std::size_t points, const Run& run) {
        const auto pass = static_cast<std::size_t>(executables_.front()->points_per_pass());
        std::vector<std::exception_ptr> errors(executables_.size());
        const auto run_part = [&](std::size_t k) {
            const PointPart part = point_part(points, pass, executables_.size(), k);
            if (part.count == 0) return;
            try {
                run(*executables_[k], part.first, part.count);
            } catch (...) {
                errors[k] = std::current_exception();
            }
        };
        {
            std::vector<std::jthread> others;
            for (std::size_t k = 1; k < executables_.size(); ++k)
                others.emplace_back([&, k] { run_part(k); });
            run_part(0);
        }
        for (const std::exception_ptr& error : errors) {
            if (error) std::rethrow_exception(error);
        }
    }

    std::vector<std::unique_ptr<Executable>> executables_;
};

}  // namespace

std::unique_ptr<Executable> make_divided_executable(std::vector<std::unique_ptr<Executable>> executables) {
    return std::make_unique<DividedExecutable>(std::move(executables));
}

}  // namespace lossmap
