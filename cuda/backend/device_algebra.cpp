#include "cuda/backend/device_algebra.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "cuda/backend/queue_guard.hpp"
#include "cuda/backend/staged_upload.hpp"

namespace lossmap::cuda {
namespace {

/// Share of what a pass may take that slices of rows and their products take.
constexpr std::int64_t kShare = 4;

static_assert(LinearAlgebra::kChunk == kernels::kGramChunk);

/// Memory and queues for products of `count` rows. Slices of all rows go through the device in turn: while one is
/// multiplied, the next one is copied.
class GramPass {
public:
    /// @param length  elements of a row for which it is made; longer and shorter rows are multiplied, too
    GramPass(Device& device, std::size_t count, std::size_t length)
        : device_(device),
          count_(count),
          chunks_(chunks_at_once(device, count, length)),
          main_(device.make_queue()),
          side_(device.make_queue()),
          staging_(device, *side_),
          parts_(device.allocate(chunks_ * square_bytes())),
          gram_(device.allocate(square_bytes())),
          result_(device.allocate_pinned(square_bytes())) {
        for (Slice& slice : slices_)
            slice.memory = device.allocate(count * width() * sizeof(float));
    }

    /// Whether one that is made for such rows would have the same memory.
    [[nodiscard]] bool suits(std::size_t count, std::size_t length) const {
        return count == count_ && chunks_at_once(device_, count, length) <= chunks_;
    }

    void add_products(std::span<const float> rows, SquareMatrix& gram) {
        const std::size_t length = rows.size() / count_;
        staging_.copy(gram_.data(), std::as_bytes(std::span(gram.values)));
        std::size_t turn = 0;
        for (std::size_t first = 0; first < length; first += width(), turn = 1 - turn) {
            copy_slice(slices_[turn], rows, first, std::min(width(), length - first));
            multiply(slices_[turn], std::min(width(), length - first));
        }
        main_->copy_to_host(result_.data(), gram_.data(), square_bytes());
        main_->synchronize();
        std::memcpy(gram.values.data(), result_.data(), square_bytes());
    }

private:
    struct Slice {
        Memory memory;  ///< f32 [count, width]
        std::shared_ptr<Mark> multiplied;
    };

    /// Elements of each row in a slice.
    [[nodiscard]] std::size_t width() const { return chunks_ * LinearAlgebra::kChunk; }
    [[nodiscard]] std::size_t square_bytes() const { return count_ * count_ * sizeof(double); }

    [[nodiscard]] static std::size_t chunks_at_once(const Device& device, std::size_t count, std::size_t length) {
        const std::size_t bytes = count * (kSlices * LinearAlgebra::kChunk * sizeof(float) + count * sizeof(double));
        const auto budget = static_cast<std::size_t>(device.facts().pass_bytes / kShare);
        const std::size_t all = (length + LinearAlgebra::kChunk - 1) / LinearAlgebra::kChunk;
        return std::clamp<std::size_t>(budget / bytes, 1, std::max<std::size_t>(all, 1));
    }

    void copy_slice(Slice& slice, std::span<const float> rows, std::size_t first, std::size_t length) {
        const std::size_t row_length = rows.size() / count_;
        if (slice.multiplied != nullptr) side_->wait(slice.multiplied);
        for (std::size_t row = 0; row < count_; ++row) {
            staging_.copy(slice.memory.as<float>() + row * width(),
                          std::as_bytes(rows.subspan(row * row_length + first, length)));
        }
        main_->wait(side_->mark());
    }

    void multiply(Slice& slice, std::size_t length) {
        kernels::GramPartsArgs parts;
        parts.rows = slice.memory.as<float>();
        parts.row_stride = static_cast<std::int64_t>(width());
        parts.count = static_cast<std::int64_t>(count_);
        parts.length = static_cast<std::int64_t>(length);
        parts.parts = parts_.as<double>();
        const kernels::GramSumsArgs sums{parts.parts, parts.chunks(), parts.count, gram_.as<double>()};
        const std::array<Access, 3> accesses{
            Access{parts.rows, ((count_ - 1) * width() + length) * sizeof(float), false},
            Access{parts.parts, static_cast<std::size_t>(parts.chunks()) * square_bytes(), true},
            Access{gram_.data(), square_bytes(), true},
        };
        main_->launch("gram", accesses, [&kernels = device_.kernels(), parts, sums](void* stream) {
            kernels.gram_parts(parts, kernels::Queue{stream});
            kernels.gram_sums(sums, kernels::Queue{stream});
        });
        slice.multiplied = main_->mark();
    }

    static constexpr std::size_t kSlices = 2;

    Device& device_;
    std::size_t count_;
    std::size_t chunks_;
    std::unique_ptr<Queue> main_;
    std::unique_ptr<Queue> side_;
    StagedUpload staging_;
    std::array<Slice, kSlices> slices_;
    Memory parts_;   ///< f64 [chunks, count, count]
    Memory gram_;    ///< f64 [count, count]
    Memory result_;  ///< the same, pinned
    QueueGuard guard_{*side_, *main_};
};

class DeviceAlgebra final : public LinearAlgebra {
public:
    explicit DeviceAlgebra(std::shared_ptr<Device> device) : device_(std::move(device)) {}

    [[nodiscard]] std::string implementation() const override { return device_->plan_eigen(1)->implementation(); }

protected:
    void add_products(std::span<const float> rows, SquareMatrix& gram) override {
        // Taken out, so that one whose work failed is not used again.
        std::unique_ptr<GramPass> pass = std::move(gram_pass_);
        const std::size_t length = rows.size() / gram.size;
        if (pass == nullptr || !pass->suits(gram.size, length)) {
            pass.reset();
            pass = std::make_unique<GramPass>(*device_, gram.size, length);
        }
        pass->add_products(rows, gram);
        gram_pass_ = std::move(pass);
    }

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
    std::unique_ptr<GramPass> gram_pass_;  ///< of the call before: a trajectory is handed over in many
};

}  // namespace

std::unique_ptr<LinearAlgebra> make_device_algebra(std::shared_ptr<Device> device) {
    return std::make_unique<DeviceAlgebra>(std::move(device));
}

}  // namespace lossmap::cuda
