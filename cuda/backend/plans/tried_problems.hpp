#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cuda/backend/device.hpp"
#include "cuda/backend/plans/way_chooser.hpp"

namespace lossmap::cuda {

/// A problem whose ways run on a device: on NaN, on numbers twice, and against the device's clock. Memory is taken at
/// the first run. All runs are on the given queue, by one thread.
class TriedOnDevice : public TriedProblem {
public:
    [[nodiscard]] Verdict verdict_on(const LibraryPlan& plan) final;
    [[nodiscard]] double seconds_of(const LibraryPlan& plan) final;
    void release() final;

protected:
    /// An array that plans read or write; without memory until it is needed.
    struct Array {
        Memory memory;
        std::size_t bytes = 0;
        DType type = DType::f32;

        [[nodiscard]] Access access(bool writes) const { return {memory.data(), bytes, writes}; }
    };

    TriedOnDevice(Device& device, Queue& queue) : device_(device), queue_(queue) {}

    [[nodiscard]] virtual std::vector<Array*> inputs() = 0;
    [[nodiscard]] virtual Array& result() = 0;
    /// Queues one run of the library.
    virtual void queue_library(const LibraryPlan& plan, void* workspace) = 0;
    /// Queues what the plan leaves to other kernels, where it leaves something.
    virtual void queue_rest(const LibraryPlan& plan) = 0;
    /// Gives back what `queue_all` took for itself.
    virtual void release_rest() {}
    /// Queues all that is timed: a run, and the rest.
    virtual void queue_all(const LibraryPlan& plan) {
        run(plan);
        queue_rest(plan);
    }
    /// Whether `queue_all` launches much: it is recorded then, as passes are.
    [[nodiscard]] virtual bool many_launches() const { return false; }
    void run(const LibraryPlan& plan);
    [[nodiscard]] Memory& workspace() { return workspace_; }
    [[nodiscard]] Array array(std::int64_t elements, DType type) const;
    [[nodiscard]] Device& device() const { return device_; }
    [[nodiscard]] Queue& queue() const { return queue_; }

private:
    void take_memory(const LibraryPlan& plan);
    void fill_with_numbers(const Array& array);
    /// Pieces of the result, from its beginning to its end.
    [[nodiscard]] std::vector<std::byte> sampled_result();
    [[nodiscard]] bool result_begins_with_nan();

    Device& device_;
    Queue& queue_;
    Memory numbers_;  ///< pinned
    Memory piece_;    ///< pinned
    Memory workspace_;
};

/// Beside the library's ways, that of our own kernel, which covers all points (tiled_convolution.hpp). Where there is
/// one, all ways are timed over a number of points, recorded, as in a pass.
class TriedConvolution final : public TriedOnDevice {
public:
    TriedConvolution(Device& device, Queue& queue, const ConvolutionProblem& problem);

    [[nodiscard]] std::string text() const override;
    [[nodiscard]] std::vector<LibraryWay> offers(std::string& why_none) override;
    [[nodiscard]] std::shared_ptr<LibraryPlan> build(const LibraryWay& way,
                                                     std::span<const std::byte> serialized) override;

private:
    [[nodiscard]] std::vector<Array*> inputs() override;
    [[nodiscard]] Array& result() override;
    void queue_library(const LibraryPlan& plan, void* workspace) override;
    void queue_rest(const LibraryPlan& plan) override;
    void queue_all(const LibraryPlan& plan) override;
    void release_rest() override { pooled_ = {}; }
    [[nodiscard]] bool many_launches() const override { return points_ > 1; }
    /// The maxima of 2 x 2 pixels, where they are what is read of the result.
    void queue_pool();
    /// From a point on, as many as the plan computes at once.
    void queue_from(const LibraryPlan& plan, void* workspace, std::int64_t point);
    [[nodiscard]] std::int64_t extent(std::int64_t elements, std::int64_t stride) const {
        return (points_ - 1) * stride + elements;
    }

    ConvolutionProblem problem_;
    std::int64_t points_ = 1;  ///< that trials run
    Array images_, weights_, bias_, residual_, result_, pooled_;
};

class TriedGemm final : public TriedOnDevice {
public:
    TriedGemm(Device& device, Queue& queue, const GemmProblem& problem)
        : TriedOnDevice(device, queue), problem_(problem) {}

    [[nodiscard]] std::string text() const override;
    [[nodiscard]] std::vector<LibraryWay> offers(std::string& why_none) override;
    [[nodiscard]] std::shared_ptr<LibraryPlan> build(const LibraryWay& way,
                                                     std::span<const std::byte> serialized) override;

private:
    [[nodiscard]] std::vector<Array*> inputs() override;
    [[nodiscard]] Array& result() override;
    void queue_library(const LibraryPlan& plan, void* workspace) override;
    void queue_rest(const LibraryPlan& plan) override;
    /// From the first element to the last one, of a matrix of so many elements that stands so far apart.
    [[nodiscard]] std::int64_t extent(std::int64_t elements, std::int64_t stride) const;

    GemmProblem problem_;
    Array a_, b_, bias_, result_;
};

}  // namespace lossmap::cuda
