#pragma once

#include "cli/commands/commands.hpp"

namespace CLI {
class App;
}

namespace lossmap {

/// The commands `bench` and `compare`: what they say goes into `arguments`, which have to outlive the application.
CLI::App* add_bench(CLI::App& application, BenchArguments& arguments);
CLI::App* add_compare(CLI::App& application, CompareArguments& arguments);

}  // namespace lossmap
