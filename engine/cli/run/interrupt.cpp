#include "cli/run/interrupt.hpp"

#include <unistd.h>
#include <csignal>

#include "core/error.hpp"

namespace lossmap {
namespace {

constexpr int kInterruptedStatus = 130;

// A signal handler has no other way to reach its program than an object of static storage duration.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the handler may only touch lock-free atomics");

extern "C" void on_stop_signal(int /*signal*/) {
    if (stop_requested.exchange(true)) ::_exit(kInterruptedStatus);
}

}  // namespace

struct InterruptGuard::Handlers {
    struct sigaction interrupt {};
    struct sigaction terminate {};
};

InterruptGuard::InterruptGuard() : handlers_(std::make_unique<Handlers>()) {
    stop_requested = false;
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, &handlers_->interrupt);
    ::sigaction(SIGTERM, &action, &handlers_->terminate);
}

InterruptGuard::~InterruptGuard() {
    ::sigaction(SIGINT, &handlers_->interrupt, nullptr);
    ::sigaction(SIGTERM, &handlers_->terminate, nullptr);
}

const std::atomic<bool>& InterruptGuard::flag() const { return stop_requested; }

void InterruptGuard::check() const {
    if (stop_requested) throw Interrupted("interrupted; run the same command again to go on");
}

}  // namespace lossmap
