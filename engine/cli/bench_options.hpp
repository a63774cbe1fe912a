#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands/commands.hpp"

namespace lossmap {

/// The commands `bench` and `compare`: what they say goes into `arguments`, which have to outlive the application.
CLI::App* add_bench(CLI::App& application, BenchArguments& arguments);
CLI::App* add_compare(CLI::App& application, CompareArguments& arguments);

}  // namespace lossmap
