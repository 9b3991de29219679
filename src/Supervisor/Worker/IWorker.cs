namespace Appliance.Supervisor.Worker;

/// <summary>Does what needs root.</summary>
internal interface IWorker
{
    /// <summary>Carries a request out.</summary>
    /// <param name="request">What to do.</param>
    /// <param name="bundle">The bundle that follows the request, when its source is <c>-</c>.</param>
    /// <param name="progress">Gets the progress; may be null.</param>
    /// <param name="cancellationToken">Stops the worker.</param>
    /// <exception cref="Appliance.Core.UserError">Something a person can mend.</exception>
    /// <exception cref="WorkerException">The worker failed or went away; trying again may help.</exception>
    Task<WorkerResult> RunAsync(WorkerRequest request, Stream? bundle, IProgress<WorkerProgress>? progress, CancellationToken cancellationToken);
}
