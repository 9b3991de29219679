namespace Appliance.Supervisor.Bus;

/// <summary>An exported method: signatures, argument names (in, then out) and what it does. Called on the bus thread.</summary>
/// <param name="Name">Member name.</param>
/// <param name="In">Signature of the arguments.</param>
/// <param name="Out">Signature of the results.</param>
/// <param name="ArgumentNames">Names for introspection.</param>
/// <param name="Handle">Gives the results, or throws a <see cref="BusException"/>.</param>
internal sealed record BusMethod(string Name, string In, string Out, IReadOnlyList<string> ArgumentNames, Func<IReadOnlyList<object>, object[]> Handle);
