#pragma once

#include <cuda_runtime_api.h>

namespace lossmap::cuda {

class Event;

/// An ordered queue of device work. Never the default stream: created non-blocking. Move-only. Belongs to the device
/// that was current when it was made.
class Stream {
public:
    Stream();
    ~Stream();
    Stream(Stream&& other) noexcept;
    Stream& operator=(Stream&& other) noexcept;

    [[nodiscard]] cudaStream_t get() const { return stream_; }
    /// Blocks the calling thread until everything queued so far is done; throws what the work raised.
    void synchronize() const;
    /// Work queued from now on starts after `event`. Does not block the host.
    void wait(const Event& event) const;

private:
    cudaStream_t stream_ = nullptr;
};

/// A mark in a stream. Move-only.
class Event {
public:
    /// @param timed  whether `elapsed_ms` will be asked; untimed events are cheaper
    explicit Event(bool timed = false);
    ~Event();
    Event(Event&& other) noexcept;
    Event& operator=(Event&& other) noexcept;

    [[nodiscard]] cudaEvent_t get() const { return event_; }
    /// Puts the mark behind what `stream` holds now. Does not block.
    void record(const Stream& stream) const;
    /// Blocks until the mark is passed.
    void synchronize() const;
    /// Milliseconds on the device between two timed, passed marks.
    [[nodiscard]] static float elapsed_ms(const Event& begin, const Event& end);

private:
    cudaEvent_t event_ = nullptr;
};

}  // namespace lossmap::cuda
