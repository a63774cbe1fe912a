#include "backend/rank_agreement.hpp"

#include <new>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace lossmap {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

RankAgreement::RankAgreement(Communicator& communicator, std::string name, const std::atomic<bool>* stop)
    : communicator_(communicator), name_(std::move(name)), stop_(stop) {}

std::vector<std::vector<std::byte>> RankAgreement::exchange(State state, std::span<const std::byte> bytes) {
    std::vector<std::byte> message{static_cast<std::byte>(state)};
    message.insert(message.end(), bytes.begin(), bytes.end());
    std::vector<std::vector<std::byte>> all = communicator_.gather(message);
    for (const std::vector<std::byte>& one : all) {
        if (one.empty()) throw InternalError("a rank met the others with no message");
        const auto theirs = static_cast<State>(one.front());
        if (theirs == State::stop) agreed_stop_ = true;
        if (theirs != State::well && theirs != State::stop) failed_ = true;
    }
    return all;
}

std::vector<std::vector<std::byte>> RankAgreement::meet(std::span<const std::byte> own) {
    const bool asked = stop_ != nullptr && stop_->load();
    std::vector<std::vector<std::byte>> all = exchange(asked ? State::stop : State::well, own);
    for (std::vector<std::byte>& one : all) {
        const auto state = static_cast<State>(one.front());
        one.erase(one.begin());
        if (state == State::wrong_input) throw InputError("{}", text_of(one));
        if (state == State::interrupted) throw Interrupted("{}", text_of(one));
        if (state == State::failed) throw Error("{}", text_of(one));
    }
    return all;
}

std::string RankAgreement::from_root(const std::string& text) {
    return text_of(meet(is_root() ? bytes_of(text) : std::span<const std::byte>()).front());
}

void RankAgreement::tell(const Error& error) noexcept {
    if (failed_) return;
    State state = State::failed;
    if (dynamic_cast<const InputError*>(&error) != nullptr) state = State::wrong_input;
    if (dynamic_cast<const Interrupted*>(&error) != nullptr) state = State::interrupted;
    try {
        const std::string message = (state == State::interrupted ? "" : name_ + ": ") + error.what();
        static_cast<void>(exchange(state, bytes_of(message)));
    } catch (const std::exception&) {
        // The ranks cannot speak to each other any more; the failure that was to be told is thrown on.
    }
}

void RankAgreement::together(const std::function<void()>& body) {
    if (depth_++ == 0) failed_ = false;
    const auto fail = [this](const Error& error) {
        --depth_;
        tell(error);
    };
    try {
        body();
        static_cast<void>(meet({}));
    } catch (const Error& error) {
        fail(error);
        throw;
    } catch (const std::exception& error) {
        // The others throw an Error, and what follows must not depend on the rank.
        const bool out_of_memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
        const Error same(out_of_memory ? "not enough memory" : error.what());
        fail(same);
        throw same;
    }
    --depth_;
}

}  // namespace lossmap
