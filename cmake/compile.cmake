# Flags of every target, and the functions that declare them.

add_library(rh_flags INTERFACE)
target_compile_definitions(rh_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64 RH_VERSION="${PROJECT_VERSION}")
target_compile_options(rh_flags INTERFACE -fvisibility=hidden -fno-strict-aliasing -fstack-protector-strong
	-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wvla -Wundef -Wpointer-arith -Wcast-qual -Wwrite-strings
	$<$<COMPILE_LANGUAGE:C>:-Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wbad-function-cast>
	$<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> # snprintf cuts on purpose; where a cut would matter its result is checked
	$<$<BOOL:${RH_WERROR}>:-Werror>)
if(NOT RH_SANITIZE AND NOT CMAKE_BUILD_TYPE STREQUAL Debug)
	target_compile_definitions(rh_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
if(RH_SANITIZE)
	target_compile_options(rh_flags INTERFACE -fsanitize=${RH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
	target_link_options(rh_flags INTERFACE -fsanitize=${RH_SANITIZE})
endif()
target_link_options(rh_flags INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)

# A folder's library: rh_library(NAME SOURCES ... LINK ...). Only its own folder's prefix and what LINK names can be included.
function(rh_library name)
	cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
	add_library(${name} STATIC ${arg_SOURCES})
	set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
	target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
	target_link_libraries(${name} PRIVATE rh_flags PUBLIC ${arg_LINK})
endfunction()

# A program: rh_program(NAME DESTINATION dir SOURCES ... LINK ...). All of them lie in bin/ of the build tree.
function(rh_program name)
	cmake_parse_arguments(arg "" "DESTINATION" "SOURCES;LINK" ${ARGN})
	add_executable(${name} ${arg_SOURCES})
	target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
	target_link_libraries(${name} PRIVATE rh_flags ${arg_LINK})
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin
		INSTALL_RPATH "$ORIGIN/${RH_RPATH_${arg_DESTINATION}}" BUILD_RPATH_USE_ORIGIN ON)
	install(TARGETS ${name} DESTINATION ${${arg_DESTINATION}})
endfunction()
set(RH_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR}/rogue-hunter)
file(RELATIVE_PATH RH_RPATH_CMAKE_INSTALL_BINDIR /x/${CMAKE_INSTALL_BINDIR} /x/${CMAKE_INSTALL_LIBDIR})
file(RELATIVE_PATH RH_RPATH_RH_LIBEXECDIR /x/${RH_LIBEXECDIR} /x/${CMAKE_INSTALL_LIBDIR})

# A program of the build itself, never installed.
function(rh_tool name)
	cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
	add_executable(${name} ${arg_SOURCES})
	target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
	target_link_libraries(${name} PRIVATE rh_flags ${arg_LINK})
endfunction()

# Programs for the kernel: rh_bpf(NAME ...) compiles collector/bpf/NAME.bpf.c and makes NAME.skel.h of it, in the build tree. No type information
# of any kernel is needed: see collector/bpf/kernel.h.
function(rh_bpf target)
	set(out ${PROJECT_BINARY_DIR}/bpf)
	file(MAKE_DIRECTORY ${out})
	foreach(name IN LISTS ARGN)
		add_custom_command(OUTPUT ${out}/${name}.skel.h
			COMMAND ${RH_BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -std=gnu11 -ffreestanding -Wall -Wextra -Werror -Wno-unused-function -Wno-unused-parameter
				-Wno-missing-declarations -Wno-compare-distinct-pointer-types -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
				-I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include
				-MD -MF ${out}/${name}.d -MT ${out}/${name}.skel.h -c ${CMAKE_CURRENT_SOURCE_DIR}/bpf/${name}.bpf.c -o ${out}/${name}.bpf.o
			COMMAND ${RH_BPFTOOL} gen skeleton ${out}/${name}.bpf.o name ${name}_bpf > ${out}/${name}.skel.h
			DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/bpf/${name}.bpf.c DEPFILE ${out}/${name}.d
			COMMENT "kernel program ${name}" VERBATIM)
		list(APPEND skeletons ${out}/${name}.skel.h)
	endforeach()
	target_sources(${target} PRIVATE ${skeletons})
	target_include_directories(${target} SYSTEM PRIVATE ${out})
endfunction()
