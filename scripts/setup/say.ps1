# What the setup scripts print. It is for a person at this machine, so it goes to the host and not down a pipeline.

# The step that runs, the changes of this run, and what failed: for the last lines of a run that did not end well.
$Progress = @{ step = ''; done = @(); failed = @() }

function Write-Step {
    param([Parameter(Mandatory = $true)][string]$Text)
    $Progress.step = $Text
    Write-Host ''
    Write-Host "== $Text" -ForegroundColor Cyan
}

function Write-Note {
    param([Parameter(Mandatory = $true)][string]$Text)
    Write-Host "  note: $Text" -ForegroundColor Yellow
}

function Write-Result {
    param([Parameter(Mandatory = $true)][bool]$Good, [Parameter(Mandatory = $true)][string]$Text)
    if ($Good) {
        Write-Host "  [ OK ] $Text" -ForegroundColor Green
    } else {
        Write-Host "  [FAIL] $Text" -ForegroundColor Red
    }
}

function Write-Failure {
    # A part that failed while the others go on; the script then ends with status 1.
    param([Parameter(Mandatory = $true)][string]$Text)
    $Progress.failed += $Text
    Write-Result -Good $false -Text $Text
}

function Invoke-Part {
    # A part whose failure does not keep the other parts from being set up.
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)][scriptblock]$Do)
    try {
        & $Do
    } catch {
        Write-Failure "${Name}: $(Get-ErrorText $_)"
    }
}

function Invoke-Nicety {
    # A part that a run can do without: its failure is a note.
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)][scriptblock]$Do)
    try {
        & $Do
    } catch {
        Write-Note "${Name}: $(Get-ErrorText $_)"
    }
}

function Get-FailureText {
    # The last words of a run that stopped.
    param([Parameter(Mandatory = $true)]$Record)
    $done = 'Nothing was changed before.'
    if ($Progress.done.Count -gt 0) {
        $done = "Changed before: $($Progress.done -join '; ')."
    }
    return "The step '$($Progress.step)' failed: $(Get-ErrorText $Record) $done Put the cause right and run this again: what is done is not done twice. -Undo takes it all back."
}

function Get-ErrorText {
    # The sentence of an error. WinRM wraps its own into XML.
    param([Parameter(Mandatory = $true)]$Record)
    $text = [string]$Record
    if ($Record -is [Management.Automation.ErrorRecord]) {
        $text = [string]$Record.Exception.Message
    }
    if ($text -match '<f:WSManFault') {
        $code = [regex]::Match($text, 'Code="(\d+)"').Groups[1].Value
        $inner = [regex]::Match($text, '(?s)<f:Message>(.+?)</f:Message>').Groups[1].Value
        $words = [regex]::Replace($inner, '<[^>]+>', ' ')
        $text = "WinRM reports fault ${code}: $words"
    }
    return ([regex]::Replace($text, '\s+', ' ')).Trim()
}

function Format-Value {
    # One word or line for a journal's old or new value, whatever its shape.
    param($Value)
    if ($null -eq $Value) {
        return 'absent'
    }
    if ($Value -is [string]) {
        if ($Value -eq '') {
            return 'empty'
        }
        return $Value
    }
    if ($Value -is [Collections.IDictionary]) {
        $parts = @(foreach ($name in $Value.Keys) { "$name $(Format-Value $Value[$name])" })
        return ($parts -join ', ')
    }
    if ($Value -is [Collections.IEnumerable]) {
        if (@($Value).Count -eq 0) {
            return 'none'
        }
        return (@($Value | ForEach-Object { Format-Value $_ }) -join ' ')
    }
    if ($Value -is [Management.Automation.PSCustomObject]) {
        $parts = @(foreach ($property in $Value.PSObject.Properties) { "$($property.Name) $(Format-Value $property.Value)" })
        return ($parts -join ', ')
    }
    return [string]$Value
}

function Format-Change {
    # What a change does, as a phrase for people.
    param([Parameter(Mandatory = $true)][string]$Kind, [Parameter(Mandatory = $true)][string]$Target, $Value = $null)
    switch ($Kind) {
        'RegistryNumber' { return "registry value $($Target -replace '\|', '\'): $(Format-Value $Value)" }
        'ServiceState' { return "service ${Target}: $(Format-Value $Value)" }
        'FirewallRule' {
            if ($null -eq $Value) {
                return "firewall rule ${Target}: absent"
            }
            return "firewall rule ${Target}: $(Get-Field $Value 'action') $(Get-Field $Value 'protocol') $(Format-Value @(Get-Field $Value 'ports')) from $(Format-Value @(Get-Field $Value 'from'))"
        }
        'RuleState' {
            if ([string]$Value -eq 'True') {
                return "firewall rule ${Target}: enabled"
            }
            return "firewall rule ${Target}: disabled"
        }
        'Remoting' {
            if ($Value -is [string]) {
                return "PowerShell Remoting: $Value"
            }
            return "PowerShell Remoting: $(Get-Field $Value 'remoting')"
        }
        'PowerSeconds' { return "power setting ${Target}: $(Format-Value (Get-Field $Value 'seconds')) seconds" }
        'PowerMinutes' { return "power setting ${Target}: $(Format-Value $Value) minutes" }
        'AuthorizedKey' {
            if ($Value -is [string]) {
                return "${Target}: the master's key is in it"
            }
            return "${Target}: without the master's key"
        }
        'KeyFileRights' { return "rights of ${Target}: $(Format-Value $Value)" }
        'DataFolder' { return "folder ${Target}: $(Format-Value $Value)" }
        'TrustedHosts' { return "TrustedHosts: $(Format-Value $Value)" }
        'HttpsListener' { return "WinRM listener over HTTPS, ${Target}: $(Format-Value $Value)" }
        'Certificate' { return "certificate ${Target}: $(Format-Value $Value)" }
        default { return "$Kind of ${Target}: $(Format-Value $Value)" }
    }
}

function Get-Field {
    # A field of a dictionary or of an object from JSON; nothing where it has none, which StrictMode refuses.
    param($Value, [Parameter(Mandatory = $true)][string]$Name)
    if ($null -eq $Value) {
        return $null
    }
    if ($Value -is [Collections.IDictionary]) {
        if ($Value.Contains($Name)) {
            return $Value[$Name]
        }
        return $null
    }
    $property = $Value.PSObject.Properties[$Name]
    if ($null -eq $property) {
        return $null
    }
    return $property.Value
}
