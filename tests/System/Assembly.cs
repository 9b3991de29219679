using Appliance.SystemTests.Updates;
using Xunit.Sdk;
using Xunit.v3;

// One machine, one cache: the tests here run one after another.
[assembly: Parallelization(Mode = ParallelMode.None)]

// Made by the first test that needs it; an explicit one alone makes none.
[assembly: AssemblyFixture(typeof(UpdatedDevice))]
