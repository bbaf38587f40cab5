# weir_library(NAME LINKS ... [PCH std|asio]): one library from the .cpp files of the calling folder, and one object library from
# its *_test.cpp files when tests are built. `unit_NAME` runs only that folder's tests.

function(weir_library name)
  cmake_parse_arguments(ARG "" "PCH" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(NOT ARG_PCH)
    set(ARG_PCH std)
  endif()

  if(sources)
    add_library(weir_${name} STATIC ${sources})
    target_link_libraries(weir_${name} PUBLIC weir_flags ${ARG_LINKS})
    weir_use_pch(weir_${name} ${ARG_PCH})
    weir_link_time_objects(weir_${name})
  else()
    add_library(weir_${name} INTERFACE)  # headers only
    target_link_libraries(weir_${name} INTERFACE weir_flags ${ARG_LINKS})
  endif()

  if(WEIR_TESTS AND tests)
    add_library(weir_${name}_tests OBJECT ${tests})
    target_link_libraries(weir_${name}_tests PUBLIC weir_${name} GTest::gtest)
    weir_use_pch(weir_${name}_tests ${ARG_PCH})
    set_property(GLOBAL APPEND PROPERTY WEIR_UNIT_TESTS weir_${name}_tests)
    add_executable(unit_${name} EXCLUDE_FROM_ALL)
    target_link_libraries(unit_${name} PRIVATE weir_${name}_tests GTest::gtest_main)
  endif()
endfunction()

# Two precompiled headers: `std` for pure folders, `asio` for platform and net. A pure folder cannot see Asio by accident.
function(weir_use_pch target kind)
  if(NOT TARGET weir_pch_${kind})
    file(WRITE ${CMAKE_BINARY_DIR}/pch_${kind}.cpp "// Compiled once: the precompiled header lives here.\n")
    add_library(weir_pch_${kind} OBJECT ${CMAKE_BINARY_DIR}/pch_${kind}.cpp)
    target_link_libraries(weir_pch_${kind} PRIVATE weir_flags)
    target_precompile_headers(weir_pch_${kind} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/pch_${kind}.hpp)
  endif()
  target_precompile_headers(${target} REUSE_FROM weir_pch_${kind})
endfunction()
