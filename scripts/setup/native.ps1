# Programs that are not PowerShell.

function Invoke-Native {
    # Runs a program and returns what it prints, line by line. A failing or missing program is an error here, with
    # the last lines that it printed.
    param(
        [Parameter(Mandatory = $true)][string]$Program,
        [string[]]$Arguments = @()
    )
    # Under Stop, Windows PowerShell takes a program's first line on stderr for an exception.
    $ErrorActionPreference = 'Continue'
    # A program that does not start leaves the status of the one before.
    $global:LASTEXITCODE = -1
    $lines = @()
    $said = @()
    try {
        foreach ($item in @(& $Program @Arguments 2>&1)) {
            if ($item -is [Management.Automation.ErrorRecord]) {
                $said += [string]$item.Exception.Message
            } else {
                $lines += [string]$item
            }
        }
    } catch {
        throw "$Program could not be started: $($_.Exception.Message)"
    }
    if ($global:LASTEXITCODE -ne 0) {
        $last = @((@($lines) + @($said)) | Where-Object { $_.Trim() } | Select-Object -Last 5)
        $words = ''
        if ($last.Count -gt 0) {
            $words = " It printed: $($last -join ' / ')"
        }
        throw "$Program $($Arguments -join ' ') ended with exit code $($global:LASTEXITCODE).$words"
    }
    return $lines
}
