namespace Appliance.Supervisor.Workloads;

/// <summary>The engine does not answer: nothing is known, and what was under way goes on when it is back.</summary>
internal sealed class EngineUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
