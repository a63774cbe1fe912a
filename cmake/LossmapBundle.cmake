# `cmake --install --component bundle`: a folder that runs on another machine, with a driver and CUDA's libraries alone:
# programs and tests for the GPU, the shared libraries that such a machine may lack, data for the checks. tools/make_bundle
# packs it; docs/gpu.md says how it is used.
set(bundle_targets lossmap)
foreach(target test_backends_gpu test_zoo_gpu test_kernels_cuda gpu_probe stage_probe)
  if(TARGET ${target})
    list(APPEND bundle_targets ${target})
  endif()
endforeach()
foreach(target ${bundle_targets})
  # The old kind of run path holds for the libraries of libraries, too.
  target_link_options(${target} PRIVATE -Wl,--disable-new-dtags)
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib" INSTALL_RPATH_USE_LINK_PATH OFF)
endforeach()
foreach(library ${HDF5_C_LIBRARIES} ${LAPACK_LIBRARIES})
  if(IS_ABSOLUTE ${library})
    get_filename_component(folder ${library} DIRECTORY)
    list(APPEND bundle_folders ${folder})
  endif()
endforeach()
list(REMOVE_DUPLICATES bundle_folders)
install(TARGETS ${bundle_targets} RUNTIME_DEPENDENCY_SET bundle_dependencies
  RUNTIME DESTINATION bin COMPONENT bundle EXCLUDE_FROM_ALL)
# Not what every system has, nor what belongs to the driver or to CUDA.
install(RUNTIME_DEPENDENCY_SET bundle_dependencies
  PRE_EXCLUDE_REGEXES "^lib(c|m|pthread|dl|rt|resolv|util)[.]so" "^ld-linux" "^libcuda" "^libcudnn" "^libcublas" "^libnvrtc"
    "^libcusolver" "^libnccl"
  # Found as the system's choice, too, where another one was linked.
  POST_EXCLUDE_REGEXES "^(/usr)?/lib/[^/]+/lib(blas|lapack|openblasp?)[-.][^/]*$"
  DIRECTORIES ${CMAKE_SOURCE_DIR}/.deps/lib ${bundle_folders}
  LIBRARY DESTINATION lib COMPONENT bundle EXCLUDE_FROM_ALL)
install(PROGRAMS ${CMAKE_SOURCE_DIR}/tools/gpu_check ${CMAKE_SOURCE_DIR}/tools/compare_surfaces.py
    ${CMAKE_SOURCE_DIR}/bench/gpu/peers.py
  DESTINATION . COMPONENT bundle EXCLUDE_FROM_ALL)
if(LOSSMAP_PLOTLY_JS)
  install(FILES ${LOSSMAP_PLOTLY_JS} DESTINATION share/lossmap COMPONENT bundle EXCLUDE_FROM_ALL)
endif()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs/gpu DESTINATION data COMPONENT bundle EXCLUDE_FROM_ALL)
foreach(model resnet56/model.onnx vgg9_sgd_wd5e-4_bs128/epoch_12.onnx)
  get_filename_component(folder ${model} DIRECTORY)
  if(EXISTS ${CMAKE_SOURCE_DIR}/configs/demo/${model})
    install(FILES ${CMAKE_SOURCE_DIR}/configs/demo/${model} DESTINATION data/demo/${folder} COMPONENT bundle EXCLUDE_FROM_ALL)
  endif()
endforeach()
# What PyTorch computed, where the reference folder is known: as much as travels well.
set(LOSSMAP_BUNDLE_REFERENCE "" CACHE PATH "Reference folder (models, reference, data) that data for the bundle is taken from")
set(LOSSMAP_BUNDLE_ZOO_MEGABYTES 5 CACHE STRING "Networks of its zoo that go into the bundle, in all")
set(LOSSMAP_BUNDLE_IMAGES 1000 CACHE STRING "Images of CIFAR-10 that go into the bundle: the 1,000 that PyTorch's losses are of, or more")
if(LOSSMAP_BUNDLE_REFERENCE)
  set(bundle_data ${CMAKE_BINARY_DIR}/bundle_data)
  install(CODE "
    foreach(arguments \"--reference;${LOSSMAP_BUNDLE_REFERENCE};--images;${LOSSMAP_BUNDLE_IMAGES};${bundle_data}/reference\"
        \"--zoo;${LOSSMAP_BUNDLE_REFERENCE}/models/zoo;--zoo-megabytes;${LOSSMAP_BUNDLE_ZOO_MEGABYTES};${bundle_data}/zoo\"
        \"--trajectories;${LOSSMAP_BUNDLE_REFERENCE};${bundle_data}/trajectories\"
        \"--quickstart;${CMAKE_SOURCE_DIR}/configs;${bundle_data}/quickstart\")
      execute_process(COMMAND ${LOSSMAP_PYTHON} ${CMAKE_SOURCE_DIR}/tools/bundle_data.py \${arguments} COMMAND_ERROR_IS_FATAL ANY)
    endforeach()" COMPONENT bundle EXCLUDE_FROM_ALL)
  install(DIRECTORY ${bundle_data}/ DESTINATION data COMPONENT bundle EXCLUDE_FROM_ALL)
endif()
