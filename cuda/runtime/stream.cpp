#include "cuda/runtime/stream.hpp"

#include <utility>

#include "cuda/runtime/error.hpp"

namespace lossmap::cuda {

Stream::Stream() { LOSSMAP_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }

Stream::~Stream() {
    // A failure here has been reported by the work itself; destructors do not throw.
    if (stream_ != nullptr) static_cast<void>(cudaStreamDestroy(stream_));
}

Stream::Stream(Stream&& other) noexcept : stream_(std::exchange(other.stream_, nullptr)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
    std::swap(stream_, other.stream_);
    return *this;
}

void Stream::synchronize() const { LOSSMAP_CUDA(cudaStreamSynchronize(stream_)); }

void Stream::wait(const Event& event) const { LOSSMAP_CUDA(cudaStreamWaitEvent(stream_, event.get(), 0)); }

Event::Event(bool timed) {
    LOSSMAP_CUDA(cudaEventCreateWithFlags(&event_, timed ? cudaEventDefault : cudaEventDisableTiming));
}

Event::~Event() {
    if (event_ != nullptr) static_cast<void>(cudaEventDestroy(event_));
}

Event::Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}

Event& Event::operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
}

void Event::record(const Stream& stream) const { LOSSMAP_CUDA(cudaEventRecord(event_, stream.get())); }

void Event::synchronize() const { LOSSMAP_CUDA(cudaEventSynchronize(event_)); }

float Event::elapsed_ms(const Event& begin, const Event& end) {
    float milliseconds = 0.0f;
    LOSSMAP_CUDA(cudaEventElapsedTime(&milliseconds, begin.event_, end.event_));
    return milliseconds;
}

}  // namespace lossmap::cuda
