namespace Appliance.Supervisor.Web;

/// <summary>Reads what people write into forms.</summary>
internal static class FormText
{
    /// <summary>The text without the blanks around it; null for none.</summary>
    public static string? Of(string? value) => value?.Trim() is { Length: > 0 } text ? text : null;
}
