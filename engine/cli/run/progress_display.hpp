#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "landscape/scheduler.hpp"

namespace lossmap {

enum class ProgressMode : std::uint8_t { bar, plain, json, none };

/// "45 s", "3 min 20 s", "5 h 02 min", "2 d 03 h".
[[nodiscard]] std::string format_duration(double seconds);
/// "950", "12.3 k", "4.56 M": three digits.
[[nodiscard]] std::string format_rate(double rate);
/// Evaluations (points x samples) a second of this process; 0 before the first one.
[[nodiscard]] double evaluation_rate(const RunProgress& progress);
/// Seconds left at that rate; negative while it is not known.
[[nodiscard]] double remaining_seconds(const RunProgress& progress);

/// One line: "1,300 of 2,601 units (50.0 %), 12.3 k evaluations/s, 1 min 45 s left, 2 points not finite".
[[nodiscard]] std::string progress_line(const RunProgress& progress);
/// The line with `head` and a bar in front, `width` columns at most.
[[nodiscard]] std::string progress_bar(const RunProgress& progress, int width, const std::string& head = {});
/// One JSON object.
[[nodiscard]] std::string progress_json(const RunProgress& progress);

/// Shows progress: a bar that is drawn over itself, plain lines every few seconds, or JSON lines.
class ProgressDisplay {
public:
    /// @param now  seconds from any start, never falling; the columns of the terminal matter to the bar alone
    ProgressDisplay(ProgressMode mode, std::ostream& out, std::function<double()> now, int columns = 80);

    /// Says from now on that this is run `number` (from 1) of `count`.
    void set_run(std::size_t number, std::size_t count);
    void update(const RunProgress& progress);
    /// Shows the last state and ends the line.
    void finish();

private:
    void show();
    [[nodiscard]] std::string head() const;

    ProgressMode mode_;
    std::ostream& out_;
    std::function<double()> now_;
    int columns_;
    RunProgress latest_;
    std::size_t run_ = 0;
    std::size_t runs_ = 0;  ///< 0: one run alone
    bool has_latest_ = false;
    bool shown_latest_ = false;
    double last_shown_ = 0.0;
    std::size_t drawn_ = 0;
};

}  // namespace lossmap
