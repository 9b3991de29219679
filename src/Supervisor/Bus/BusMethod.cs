namespace Appliance.Supervisor.Bus;

/// <summary>An exported method: signatures, argument names (in, then out) and what it does. Called on the bus thread.</summary>
/// <param name="Name">Member name.</param>
/// <param name="In">Signature of the arguments.</param>
/// <param name="Out">Signature of the results.</param>
/// <param name="ArgumentNames">Names for introspection.</param>
/// <param name="Handle">Gives the results, or throws a <see cref="BusException"/>.</param>
internal sealed record BusMethod(string Name, string In, string Out, IReadOnlyList<string> ArgumentNames, Func<IReadOnlyList<object>, object[]> Handle)
{
    /// <summary>For what takes longer: begun on the bus thread and answered when its task is done; then <see cref="Handle"/> is not called.</summary>
    public Func<IReadOnlyList<object>, Task<object[]>>? HandleAsync { get; init; }

    /// <summary>A method that takes longer.</summary>
    public static BusMethod Slow(string name, string @in, string @out, IReadOnlyList<string> argumentNames, Func<IReadOnlyList<object>, Task<object[]>> handle) =>
        new(name, @in, @out, argumentNames, _ => []) { HandleAsync = handle };
}
