#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace lossmap {

/// The gnuplot program: $LOSSMAP_GNUPLOT when set, else the first one in PATH. Throws Error that names the Debian
/// package when there is none.
[[nodiscard]] std::filesystem::path find_gnuplot();

inline constexpr std::chrono::seconds kGnuplotTimeout{120};
/// Name of the file that a script has to write (relative to the private folder it runs in).
inline constexpr const char* kGnuplotOutput = "picture";

/// Runs a script in a private temporary folder, without a shell and without the user's start-up files, and returns the
/// content of the file kGnuplotOutput. Throws Error with gnuplot's own message when it fails, writes nothing or takes
/// longer than `timeout`.
[[nodiscard]] std::string run_gnuplot(const std::string& script, std::chrono::milliseconds timeout = kGnuplotTimeout);

/// `text` as a gnuplot string expression that stands for exactly these characters on one or several lines: nothing in
/// it is a command, an escape, a macro or a shell substitution. Control characters become spaces, invalid UTF-8 becomes
/// U+FFFD.
[[nodiscard]] std::string gnuplot_string(const std::string& text);

}  // namespace lossmap
