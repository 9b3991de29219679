namespace Appliance.UpdateServer.Ddi;

/// <summary>Something that a device is told as DDI tells errors.</summary>
/// <param name="status">HTTP status.</param>
/// <param name="code">The end of the code: <c>repo.entityNotExists</c>.</param>
/// <param name="message">What is wrong.</param>
internal sealed class DdiException(int status, string code, string message) : Exception(message)
{
    /// <summary>HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>hawkBit's code.</summary>
    public string Code { get; } = $"hawkbit.server.error.{code}";

    /// <summary>There is no such thing.</summary>
    public static DdiException NotFound(string what) => new(StatusCodes.Status404NotFound, "repo.entityNotExists", $"There is no {what}.");

    /// <summary>It is over.</summary>
    public static DdiException Gone(long action) => new(StatusCodes.Status410Gone, "action.notActive", $"Action {action} is over.");

    /// <summary>It comes too often.</summary>
    public static DdiException TooMany() => new(StatusCodes.Status429TooManyRequests, "rest.tooManyRequests", "From this address too much is tried that does not hold.");

    /// <summary>What was sent makes no sense.</summary>
    public static DdiException BadRequest(string message) => new(StatusCodes.Status400BadRequest, "rest.body.notReadable", message);
}
