#pragma once

#include <ostream>

namespace lossmap {

/// The lossmap command: parses the command line, runs the sub-command and returns the exit status (interface.md): 0
/// done, 1 failure while running, 2 wrong usage, configuration or input, 130 interrupted. Results go to `out`, messages
/// to stderr; an error is one line, "lossmap: error: <sentence>". Throws nothing.
int run_application(int argc, const char* const* argv, std::ostream& out);

}  // namespace lossmap
