namespace Appliance.Supervisor.Worker;

/// <summary>The worker failed, or its connection did.</summary>
public sealed class WorkerException(string message, Exception? inner = null) : Exception(message, inner);
