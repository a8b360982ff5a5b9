# Installs the package, builds the consumer against it out of the tree, and runs it.
# cmake -D BUILD=<build directory> -D SOURCE=<this directory> -D WORK=<scratch> -D CXX=<compiler> -P run.cmake
file(REMOVE_RECURSE ${WORK})
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
file(COPY ${SOURCE}/CMakeLists.txt ${SOURCE}/consumer.cc DESTINATION ${WORK}/consumer)
run(${CMAKE_COMMAND} -G Ninja -S ${WORK}/consumer -B ${WORK}/build
    -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_CXX_COMPILER=${CXX})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
