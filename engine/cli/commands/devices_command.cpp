#include <ostream>
#include <string_view>
#include <vector>

#include <fmt/ranges.h>

#include "cli/commands/commands.hpp"
#include "cli/run/backends.hpp"
#include "cli/run/prepared_run.hpp"
#include "dist/mpi_communicator.hpp"

namespace lossmap {

int devices_command(std::ostream& out) {
    out << fmt::format("lossmap {}\n", program_version());
    for (const BackendEntry& entry : known_backends()) {
        if (entry.backend == nullptr) {
            out << fmt::format("{}: {}\n", entry.name, entry.why_missing);
            continue;
        }
        out << fmt::format("{}:\n", entry.name);
        for (const DeviceInfo& device : entry.backend->devices()) {
            constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;
            std::vector<std::string_view> precisions;
            for (const Precision precision : device.precisions)
                precisions.emplace_back(name_of(precision));
            out << fmt::format("  {:<8} {}, {:.1f} GiB; {}\n", device.id, device.description,
                               static_cast<double>(device.memory_bytes) / kGibibyte, fmt::join(precisions, ", "));
        }
        for (const std::string& library : entry.backend->library_versions())
            out << fmt::format("  library  {}\n", library);
    }
    out << fmt::format("mpi: {}\n", mpi_version());
    return 0;
}

}  // namespace lossmap
