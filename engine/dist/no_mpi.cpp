// Stands for MPI in programs that are built without it.
#include "core/error.hpp"
#include "dist/mpi_communicator.hpp"

namespace lossmap {

std::string mpi_version() { return "not built (configure with -DLOSSMAP_MPI=ON)"; }

std::unique_ptr<Communicator> make_mpi_communicator() { throw UnsupportedError("MPI: {}", mpi_version()); }

}  // namespace lossmap
