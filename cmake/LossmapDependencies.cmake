# Every dependency, its version bounds and the reason for it: docs/dependencies.md.
find_package(Threads REQUIRED)
find_package(fmt 8 REQUIRED)
find_package(spdlog 1.9 REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(ZLIB 1.2.11 REQUIRED)
find_package(OpenSSL 1.1.1 REQUIRED COMPONENTS Crypto)
find_package(SQLite3 3.37 REQUIRED)
find_package(Protobuf 3.12 REQUIRED)
find_package(HDF5 1.10 REQUIRED COMPONENTS C)
find_package(LAPACK REQUIRED)
find_package(dnnl 3.0 CONFIG REQUIRED)  # ./setup installs it into .deps where the distribution has 2.x

# libonnx-dev's package configuration does not carry usable targets everywhere; header and library are enough, as only the
# generated protobuf classes are used.
find_path(ONNX_INCLUDE_DIR onnx/onnx_pb.h REQUIRED)
find_library(ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
add_library(lossmap_onnx_proto INTERFACE)
target_include_directories(lossmap_onnx_proto SYSTEM INTERFACE ${ONNX_INCLUDE_DIR})
target_compile_definitions(lossmap_onnx_proto INTERFACE ONNX_NAMESPACE=onnx ONNX_ML=1)
target_link_libraries(lossmap_onnx_proto INTERFACE ${ONNX_PROTO_LIBRARY} protobuf::libprotobuf)

find_path(LAPACKE_INCLUDE_DIR lapacke.h REQUIRED)
find_library(LAPACKE_LIBRARY lapacke REQUIRED)
add_library(lossmap_lapacke INTERFACE)
target_include_directories(lossmap_lapacke SYSTEM INTERFACE ${LAPACKE_INCLUDE_DIR})
target_link_libraries(lossmap_lapacke INTERFACE ${LAPACKE_LIBRARY} LAPACK::LAPACK)

add_library(lossmap_hdf5 INTERFACE)
target_include_directories(lossmap_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(lossmap_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

# xxHash ships no CMake package on Debian and Ubuntu.
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY xxhash REQUIRED)
add_library(lossmap_xxhash INTERFACE)
target_include_directories(lossmap_xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_DIR})
target_link_libraries(lossmap_xxhash INTERFACE ${XXHASH_LIBRARY})

if(LOSSMAP_TESTS)
  find_package(GTest 1.11 REQUIRED)
endif()

if(LOSSMAP_MPI)
  find_package(MPI 3.1 REQUIRED COMPONENTS C)
  # Tests start more ranks than small machines have cores, in containers as root; Open MPI wants to be told.
  set(LOSSMAP_MPI_TEST_ENVIRONMENT OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl_base_warn_component_unused=0)
endif()

if(LOSSMAP_CUDA)
  # Where `./setup --cuda` unpacks a toolkit when the machine has none. The programs look for CUDA's libraries there, too.
  set(unpacked ${CMAKE_SOURCE_DIR}/.deps/cuda-toolkit/nvidia)
  if(EXISTS ${unpacked}/cu13/bin/nvcc)
    set(CUDAToolkit_ROOT ${unpacked}/cu13)
    list(APPEND CMAKE_BUILD_RPATH ${unpacked}/cu13/lib ${unpacked}/cudnn/lib)
  endif()
  # Libraries are opened by names that end in CUDA 13's numbers.
  find_package(CUDAToolkit 13.0 REQUIRED)
  find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${unpacked}/cudnn/include ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
  # Header-only packages that `./setup --cuda` unpacks.
  find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h HINTS ${CMAKE_SOURCE_DIR}/.deps/cuda/include REQUIRED)
  # Its messages name source files: not those of the machine that built this, whether the compiler sees their path, what it
  # links to or, through ccache, the one from the build folder.
  add_library(lossmap_cudnn_frontend INTERFACE)
  target_include_directories(lossmap_cudnn_frontend SYSTEM INTERFACE ${CUDNN_FRONTEND_INCLUDE_DIR})
  file(RELATIVE_PATH cudnn_frontend_from_build ${CMAKE_BINARY_DIR} ${CUDNN_FRONTEND_INCLUDE_DIR})
  file(REAL_PATH ${CUDNN_FRONTEND_INCLUDE_DIR} cudnn_frontend_real)
  foreach(folder ${CUDNN_FRONTEND_INCLUDE_DIR} ${cudnn_frontend_from_build} ${cudnn_frontend_real})
    target_compile_options(lossmap_cudnn_frontend INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fmacro-prefix-map=${folder}/=>)
  endforeach()
  find_path(CUTLASS_INCLUDE_DIR cute/arch/mma_sm90_gmma.hpp
    HINTS ${CMAKE_SOURCE_DIR}/.deps/cuda/cutlass_library/source/include REQUIRED)
  if(LOSSMAP_BENCH)
    find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${unpacked}/cudnn/lib ${CUDAToolkit_LIBRARY_DIR} REQUIRED)
    add_library(lossmap_cudnn INTERFACE)
    target_include_directories(lossmap_cudnn SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR})
    target_link_libraries(lossmap_cudnn INTERFACE ${CUDNN_LIBRARY} CUDA::cudart_static)
  endif()
endif()
