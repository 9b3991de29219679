using Xunit.Sdk;
using Xunit.v3;

// One machine, one cache: the tests here run one after another.
[assembly: Parallelization(Mode = ParallelMode.None)]
