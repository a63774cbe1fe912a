#pragma once

#include <memory>
#include <string>

#include "backend/communicator.hpp"

namespace lossmap {

/// "Open MPI v4.1.4, ..", or why there is no MPI in this program: "not built (..)".
[[nodiscard]] std::string mpi_version();

/// All ranks that an MPI launcher (mpirun, srun) started. MPI begins with it and ends when it is destroyed, so that
/// there is one a process, ever; all calls come from the thread that made it. Bytes are of machines of one kind.
/// Throws UnsupportedError in a program without MPI, Error with MPI's words when a call fails.
[[nodiscard]] std::unique_ptr<Communicator> make_mpi_communicator();

}  // namespace lossmap
