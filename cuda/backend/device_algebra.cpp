#include "cuda/backend/device_algebra.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {
namespace {

/// Share of what a pass may take that slices of rows and their products take.
constexpr std::int64_t kShare = 4;

static_assert(LinearAlgebra::kChunk == kernels::kGramChunk);

/// Slices of all rows on their way through the device: while one is multiplied, the next one is copied.
class GramPass {
public:
    GramPass(Device& device, std::span<const float> rows, std::size_t count)
        : device_(device),
          rows_(rows),
          count_(count),
          length_(rows.size() / count),
          main_(device.make_queue()),
          side_(device.make_queue()),
          staging_(device, *side_),
          chunks_(chunks_at_once()) {
        const std::size_t square = count * count * sizeof(double);
        for (Slice& slice : slices_)
            slice.memory = device.allocate(count * width() * sizeof(float));
        parts_ = device.allocate(chunks_ * square);
        gram_ = device.allocate(square);
    }
    ~GramPass() {
        // Memory must not go while work uses it; what the work raised has been reported where it was waited for.
        try {
            side_->synchronize();
            main_->synchronize();
        } catch (const Error&) {
        }
    }
    GramPass(const GramPass&) = delete;
    GramPass& operator=(const GramPass&) = delete;

    void add_to(SquareMatrix& gram) {
        staging_.copy(gram_.data(), std::as_bytes(std::span(gram.values)));
        std::size_t turn = 0;
        for (std::size_t first = 0; first < length_; first += width(), turn = 1 - turn)
            queue_slice(slices_[turn], first, std::min(width(), length_ - first));
        const Memory result = device_.allocate_pinned(gram_.size_bytes());
        main_->copy_to_host(result.data(), gram_.data(), gram_.size_bytes());
        main_->synchronize();
        std::memcpy(gram.values.data(), result.data(), gram_.size_bytes());
    }

private:
    struct Slice {
        Memory memory;  ///< f32 [count, width]
        std::shared_ptr<Mark> multiplied;
    };

    /// Elements of each row in a slice.
    [[nodiscard]] std::size_t width() const { return chunks_ * LinearAlgebra::kChunk; }

    [[nodiscard]] std::size_t chunks_at_once() const {
        const std::size_t bytes =
            count_ * (slices_.size() * LinearAlgebra::kChunk * sizeof(float) + count_ * sizeof(double));
        const auto budget = static_cast<std::size_t>(device_.facts().pass_bytes / kShare);
        const std::size_t all = (length_ + LinearAlgebra::kChunk - 1) / LinearAlgebra::kChunk;
        return std::clamp<std::size_t>(budget / bytes, 1, std::max<std::size_t>(all, 1));
    }

    void queue_slice(Slice& slice, std::size_t first, std::size_t length) {
        if (slice.multiplied != nullptr) side_->wait(slice.multiplied);
        auto* target = slice.memory.as<float>();
        for (std::size_t row = 0; row < count_; ++row) {
            staging_.copy(target + row * width(), std::as_bytes(rows_.subspan(row * length_ + first, length)));
        }
        main_->wait(side_->mark());
        kernels::GramPartsArgs parts;
        parts.rows = target;
        parts.row_stride = static_cast<std::int64_t>(width());
        parts.count = static_cast<std::int64_t>(count_);
        parts.length = static_cast<std::int64_t>(length);
        parts.parts = parts_.as<double>();
        const kernels::GramSumsArgs sums{parts.parts, parts.chunks(), parts.count, gram_.as<double>()};
        const std::array<Access, 3> accesses{
            Access{target, ((count_ - 1) * width() + length) * sizeof(float), false},
            Access{parts.parts, static_cast<std::size_t>(parts.chunks()) * gram_.size_bytes(), true},
            Access{gram_.data(), gram_.size_bytes(), true},
        };
        main_->launch("gram", accesses, [&kernels = device_.kernels(), parts, sums](void* stream) {
            kernels.gram_parts(parts, kernels::Queue{stream});
            kernels.gram_sums(sums, kernels::Queue{stream});
        });
        slice.multiplied = main_->mark();
    }

    Device& device_;
    std::span<const float> rows_;
    std::size_t count_;
    std::size_t length_;
    std::unique_ptr<Queue> main_;
    std::unique_ptr<Queue> side_;
    StagedUpload staging_;
    std::array<Slice, 2> slices_;
    std::size_t chunks_;
    Memory parts_;  ///< f64 [chunks, count, count]
    Memory gram_;   ///< f64 [count, count]
};

class DeviceAlgebra final : public LinearAlgebra {
public:
    explicit DeviceAlgebra(std::shared_ptr<Device> device) : device_(std::move(device)) {}

    void add_inner_products(std::span<const float> rows, SquareMatrix& gram) override {
        if (gram.size == 0 || rows.size() % gram.size != 0)
            throw InternalError("{} elements are not {} rows of equal length", rows.size(), gram.size);
        if (rows.empty()) return;
        GramPass(*device_, rows, gram.size).add_to(gram);
    }

    [[nodiscard]] std::string implementation() const override { return device_->plan_eigen(1)->implementation(); }

protected:
    [[nodiscard]] Ascending solve(const SquareMatrix& matrix) override {
        const std::size_t n = matrix.size;
        const auto plan = device_->plan_eigen(static_cast<std::int64_t>(n));
        const Memory square = device_->allocate(n * n * sizeof(double));
        const Memory values = device_->allocate(n * sizeof(double));
        const Memory workspace = device_->allocate(plan->workspace_bytes());
        const Memory status = device_->allocate(sizeof(std::int32_t));
        const Memory host = device_->allocate_pinned(square.size_bytes() + values.size_bytes() + sizeof(std::int32_t));
        const EigenOperands operands{square.as<double>(), values.as<double>(), workspace.data(),
                                     status.as<std::int32_t>()};
        const std::array<Access, 4> accesses{
            Access{square.data(), square.size_bytes(), true}, Access{values.data(), values.size_bytes(), true},
            Access{workspace.data(), workspace.size_bytes(), true}, Access{status.data(), status.size_bytes(), true}};
        std::memcpy(host.data(), matrix.values.data(), square.size_bytes());
        const auto queue = device_->make_queue();
        queue->copy_to_device(square.data(), host.data(), square.size_bytes());
        queue->launch("eigenvalues", accesses, [&plan, operands](void* stream) { plan->run(operands, stream); });
        queue->copy_to_host(host.data(), square.data(), square.size_bytes());
        queue->copy_to_host(host.data() + square.size_bytes(), values.data(), values.size_bytes());
        queue->copy_to_host(host.data() + square.size_bytes() + values.size_bytes(), status.data(),
                            status.size_bytes());
        queue->synchronize();
        std::int32_t found = 0;
        std::memcpy(&found, host.data() + square.size_bytes() + values.size_bytes(), sizeof(found));
        if (found != 0)
            throw Error("the eigenvalues of a matrix were not found ({} reports {})", plan->implementation(), found);
        Ascending result{std::vector<double>(n), SquareMatrix(n)};
        std::memcpy(result.values.data(), host.data() + square.size_bytes(), values.size_bytes());
        const auto* vectors = host.as<double>();
        for (std::size_t k = 0; k < n; ++k) {
            for (std::size_t row = 0; row < n; ++row)
                result.vectors.at(row, k) = vectors[k * n + row];
        }
        return result;
    }

private:
    std::shared_ptr<Device> device_;
};

}  // namespace

std::unique_ptr<LinearAlgebra> make_device_algebra(std::shared_ptr<Device> device) {
    return std::make_unique<DeviceAlgebra>(std::move(device));
}

}  // namespace lossmap::cuda
