# `cmake --install`: the program, what it needs at run time, and the layers as a package for find_package(lossmap).
include(CMakePackageConfigHelpers)

get_property(layers GLOBAL PROPERTY LOSSMAP_LAYERS)
set(install_targets ${layers} lossmap_onnx_proto lossmap_hdf5 lossmap_lapacke)
foreach(extra lossmap_xxhash)
  if(TARGET ${extra})
    list(APPEND install_targets ${extra})
  endif()
endforeach()
install(TARGETS ${install_targets} EXPORT lossmapTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

get_property(headers GLOBAL PROPERTY LOSSMAP_HEADERS)
foreach(header ${headers})
  string(REGEX REPLACE "^engine/" "" relative ${header})
  get_filename_component(folder ${relative} DIRECTORY)
  install(FILES ${CMAKE_SOURCE_DIR}/${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lossmap/${folder})
endforeach()

# oneDNN from .deps travels with the installation; one of the distribution stays where it is.
get_target_property(dnnl_library DNNL::dnnl LOCATION)
if(dnnl_library MATCHES "^${CMAKE_SOURCE_DIR}/[.]deps/")
  file(GLOB dnnl_files ${CMAKE_SOURCE_DIR}/.deps/lib/libdnnl.so*)
  list(FILTER dnnl_files INCLUDE REGEX "libdnnl[.]so[.][0-9]+")  # the name that programs load, and CMake's
  install(FILES ${dnnl_files} DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/.deps/lib/cmake/dnnl DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lossmap)
install(EXPORT lossmapTargets NAMESPACE lossmap:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/lossmapConfig.cmake.in
  ${CMAKE_BINARY_DIR}/lossmapConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lossmapConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lossmapConfig.cmake ${CMAKE_BINARY_DIR}/lossmapConfigVersion.cmake
  DESTINATION ${package_dir})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/lossmap/configs
  FILES_MATCHING PATTERN "*.json" PATTERN "demo" EXCLUDE)
