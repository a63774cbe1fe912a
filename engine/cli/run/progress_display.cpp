#include "cli/run/progress_display.hpp"

#include <algorithm>
#include <cmath>
#include <ostream>

#include <nlohmann/json.hpp>

namespace lossmap {
namespace {

constexpr double kBarSeconds = 0.1;
constexpr double kPlainSeconds = 5.0;
constexpr double kJsonSeconds = 0.5;
constexpr int kWidestBar = 30;

std::string grouped(std::int64_t value) {
    const std::string digits = std::to_string(value);
    std::string text;
    for (std::size_t k = 0; k < digits.size(); ++k) {
        if (k > 0 && (digits.size() - k) % 3 == 0) text += ',';
        text += digits[k];
    }
    return text;
}

double fraction(const RunProgress& progress) {
    if (progress.total_units == 0) return 1.0;
    return static_cast<double>(progress.finished_units) / static_cast<double>(progress.total_units);
}

}  // namespace

std::string format_duration(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, std::min(seconds, 1e15))));
    const std::int64_t minutes = whole / 60;
    const std::int64_t hours = minutes / 60;
    if (whole < 60) return fmt::format("{} s", whole);
    if (minutes < 60) return fmt::format("{} min {:02} s", minutes, whole % 60);
    if (hours < 48) return fmt::format("{} h {:02} min", hours, minutes % 60);
    return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

std::string format_rate(double rate) {
    constexpr const char* kUnits[] = {"", " k", " M", " G", " T"};
    std::size_t unit = 0;
    while (rate >= 999.5 && unit + 1 < std::size(kUnits)) {
        rate /= 1000.0;
        ++unit;
    }
    const int decimals = unit == 0 || rate >= 99.95 ? 0 : rate >= 9.995 ? 1 : 2;
    return fmt::format("{:.{}f}{}", rate, decimals, kUnits[unit]);
}

double evaluation_rate(const RunProgress& progress) {
    if (progress.elapsed_seconds <= 0.0) return 0.0;
    return static_cast<double>(progress.finished_evaluations) / progress.elapsed_seconds;
}

double remaining_seconds(const RunProgress& progress) {
    const double rate = evaluation_rate(progress);
    const auto left = static_cast<double>(progress.total_evaluations - progress.finished_evaluations);
    if (left <= 0.0) return 0.0;
    return rate > 0.0 ? left / rate : -1.0;
}

std::string progress_line(const RunProgress& progress) {
    // Rounded down: 100 % is shown when all is done and not before.
    std::string line = fmt::format("{} of {} units ({:.1f} %)", grouped(progress.finished_units),
                                   grouped(progress.total_units), std::floor(fraction(progress) * 1000.0) / 10.0);
    if (evaluation_rate(progress) > 0.0) {
        line += fmt::format(", {} evaluations/s", format_rate(evaluation_rate(progress)));
        line += fmt::format(", {} left", format_duration(remaining_seconds(progress)));
    }
    if (progress.non_finite_points > 0) {
        line += fmt::format(", {} {} not finite", grouped(progress.non_finite_points),
                            progress.non_finite_points == 1 ? "point" : "points");
    }
    return line;
}

std::string progress_bar(const RunProgress& progress, int width, const std::string& head) {
    const std::string line = head + progress_line(progress);
    const int room = width - static_cast<int>(line.size()) - 3;
    if (room < 5) return line.substr(0, static_cast<std::size_t>(std::max(0, width)));
    const auto cells = static_cast<std::size_t>(std::min(room, kWidestBar));
    const auto filled = static_cast<std::size_t>(fraction(progress) * static_cast<double>(cells));
    return fmt::format("[{:#<{}}{:.<{}}] {}", "", filled, "", cells - filled, line);
}

std::string progress_json(const RunProgress& progress) {
    const double left = remaining_seconds(progress);
    nlohmann::ordered_json json{{"event", "progress"},
                                {"finished_units", progress.finished_units},
                                {"total_units", progress.total_units},
                                {"resumed_units", progress.resumed_units},
                                {"finished_evaluations", progress.finished_evaluations},
                                {"total_evaluations", progress.total_evaluations},
                                {"evaluations_per_second", evaluation_rate(progress)},
                                {"elapsed_seconds", progress.elapsed_seconds},
                                {"remaining_seconds", nullptr},
                                {"non_finite_points", progress.non_finite_points}};
    if (left >= 0.0) json["remaining_seconds"] = left;
    return json.dump();
}

ProgressDisplay::ProgressDisplay(ProgressMode mode, std::ostream& out, std::function<double()> now, int columns)
    : mode_(mode), out_(out), now_(std::move(now)), columns_(columns), last_shown_(now_()) {}

void ProgressDisplay::set_run(std::size_t number, std::size_t count) {
    run_ = number;
    runs_ = count;
}

std::string ProgressDisplay::head() const { return runs_ == 0 ? "" : fmt::format("run {} of {}: ", run_, runs_); }

void ProgressDisplay::update(const RunProgress& progress) {
    latest_ = progress;
    has_latest_ = true;
    shown_latest_ = false;
    if (mode_ == ProgressMode::none) return;
    const double pause = mode_ == ProgressMode::bar     ? kBarSeconds
                         : mode_ == ProgressMode::plain ? kPlainSeconds
                                                        : kJsonSeconds;
    if (now_() - last_shown_ >= pause) show();
}

void ProgressDisplay::finish() {
    if (mode_ == ProgressMode::none || !has_latest_) return;
    if (!shown_latest_) show();
    if (mode_ == ProgressMode::bar) out_ << '\n' << std::flush;
    has_latest_ = false;
}

void ProgressDisplay::show() {
    last_shown_ = now_();
    shown_latest_ = true;
    switch (mode_) {
        case ProgressMode::bar: {
            const std::string bar = progress_bar(latest_, columns_ - 1, head());
            const std::size_t rest = drawn_ > bar.size() ? drawn_ - bar.size() : 0;
            out_ << '\r' << bar << std::string(rest, ' ');
            drawn_ = bar.size();
            break;
        }
        case ProgressMode::plain: out_ << "lossmap: " << head() << progress_line(latest_) << '\n'; break;
        case ProgressMode::json: {
            nlohmann::ordered_json json = nlohmann::ordered_json::parse(progress_json(latest_));
            if (runs_ > 0) json.update({{"run", run_}, {"runs", runs_}});
            out_ << json.dump() << '\n';
            break;
        }
        case ProgressMode::none: break;
    }
    out_ << std::flush;
}

}  // namespace lossmap
